/**
 * Fetches releases of PostgreSQL that this machine's Debian does not have yet, for tests: from a later suite of the same archive that apt
 * uses, chosen, verified and downloaded by apt in folders of its own, and unpacked into a cache, whole or not at all. Installs
 * nothing, changes no list of apt and needs no root. The programs get the suite's own loader and libraries written into them, so that they run
 * from where they are.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import {
  type NewerRelease,
  findNewerPostgres,
  newerPostgresFolder,
  newerReleases,
  programsBelow,
} from "../src/testing/newer-postgres.ts";

type Said = { readonly ok: boolean; readonly text: string };

const run = (program: string, words: readonly string[], cwd?: string): Said => {
  const { status, stdout } = spawnSync(program, words, {
    stdio: ["ignore", "pipe", 2],
    encoding: "utf8",
    maxBuffer: 1 << 26,
    ...(cwd === undefined ? {} : { cwd }),
  });
  return { ok: status === 0, text: stdout ?? "" };
};

/** The archive that apt has Debian itself from, as a line for another suite; null where apt has another system's packages. */
const sourceLine = (suite: string): string | null => {
  const format = "$(LABEL)|$(COMPONENT)|$(REPO_URI)|$(SIGNED_BY)";
  const { text } = run("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  for (const line of text.split("\n")) {
    const [label, component, uri = "", signedBy = ""] = line.split("|");
    if (label !== "Debian" || component !== "main") continue;
    return `deb ${signedBy.startsWith("/") ? `[signed-by=${signedBy}] ` : ""}${uri} ${suite} main\n`;
  }
  return null;
};

/** Words that make apt-get work on another suite, with an empty list of what is installed, so that it names all that is needed. */
const aptWords = (folder: string, source: string): readonly string[] => {
  for (const place of ["lists/partial", "archives/partial"]) mkdirSync(join(folder, place), { recursive: true });
  writeFileSync(join(folder, "status"), "");
  writeFileSync(join(folder, "sources.list"), source);
  const places = {
    "Dir::State": folder,
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": folder,
    "Dir::Etc::SourceList": join(folder, "sources.list"),
    "Dir::Etc::SourceParts": "/nonexistent",
    "Acquire::Languages": "none",
    // Root's own account fetches: the folder is not for apt's.
    ...(process.getuid?.() === 0 ? { "APT::Sandbox::User": "root" } : {}),
  };
  return ["-qq", ...Object.entries(places).flatMap(([name, value]) => ["-o", `${name}=${value}`])];
};

/** Of all that an installation would bring: the programs, pg_cron, and the libraries that they are linked with. The compiler of queries is left out. */
const isWanted = (name: string): boolean =>
  (name.startsWith("lib") && !/perl|llvm|z3|db5|-common|-dev$|pam-modules|semanage|debconf/.test(name)) ||
  /^(?:patchelf|postgresql-(?:client-)?\d+(?:-cron)?)$/.test(name);

const isLibrary = (name: string): boolean => /\.so(?:\.[\d.]+)?$/.test(name);

const libraryFolders = (unpacked: string): string[] =>
  ["lib", "usr/lib"]
    .map((folder) => join(unpacked, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((folder) => folder.endsWith("-linux-gnu"));

const isProgram = (path: string): boolean => readFileSync(path).subarray(1, 4).toString("latin1") === "ELF";

/** @returns what could not be done */
const assemble = (unpacked: string, made: string, target: string, major: number): string | null => {
  const [version, libraries] = [String(major), join(made, "libraries")];
  for (const place of ["lib", "share"])
    cpSync(join(unpacked, "usr", place, "postgresql", version), join(made, place, "postgresql", version), {
      recursive: true,
      verbatimSymlinks: true,
    });
  rmSync(join(made, "lib/postgresql", version, "lib/bitcode"), { recursive: true, force: true });
  mkdirSync(libraries);
  for (const folder of libraryFolders(unpacked)) {
    for (const name of readdirSync(folder).filter(isLibrary))
      cpSync(join(folder, name), join(libraries, name), { verbatimSymlinks: true });
  }
  const loader = readdirSync(libraries).find((name) => /^ld-linux.*\.so\.\d$/.test(name));
  if (loader === undefined) return "the packages have no loader";
  chmodSync(made, 0o755);
  const final = join(target, "libraries");
  const edit = ["--set-interpreter", join(final, loader), "--force-rpath", "--set-rpath", final];
  const folder = programsBelow(made, major);
  const programs = readdirSync(folder).map((name) => join(folder, name));
  for (const program of programs.filter(isProgram)) {
    const words = ["--library-path", libraries, join(unpacked, "usr/bin/patchelf"), ...edit, program];
    if (!run(join(libraries, loader), words).ok) return `patchelf could not prepare ${program}`;
  }
  return null;
};

const fetchRelease = ({ major, suite }: NewerRelease, source: string): string | null => {
  const target = newerPostgresFolder(major);
  mkdirSync(dirname(target), { recursive: true });
  const work = mkdtempSync(`${target}.`);
  try {
    process.stderr.write(`fetching PostgreSQL ${major} of ${suite} for tests (it is not installed)\n`);
    const apt = aptWords(work, source);
    if (!run("apt-get", [...apt, "update"]).ok) return `apt-get could not read ${suite}`;
    const wanted = [`postgresql-${major}`, `postgresql-${major}-cron`, "patchelf"];
    const install = ["--simulate", "--no-install-recommends", "install", ...wanted];
    const needed = run("apt-get", [...apt, ...install]).text.matchAll(/^Inst (\S+)/gm);
    const names = [...needed].map(([, name = ""]) => name).filter(isWanted);
    if (!names.includes(`postgresql-${major}`)) return `${suite} has no PostgreSQL ${major} for this machine`;
    if (!run("apt-get", [...apt, "download", ...names], work).ok)
      return `apt-get could not download ${names.join(" ")}`;
    const unpacked = join(work, "unpacked");
    for (const archive of readdirSync(work).filter((file) => file.endsWith(".deb"))) {
      if (!run("dpkg-deb", ["-x", join(work, archive), unpacked]).ok) return `dpkg-deb could not unpack ${archive}`;
    }
    const made = join(work, "made");
    const failure = assemble(unpacked, made, target, major);
    if (failure !== null) return failure;
    rmSync(target, { recursive: true, force: true });
    renameSync(made, target);
    const { ok } = run(join(programsBelow(target, major), "postgres"), ["--version"]);
    if (ok) return null;
    rmSync(target, { recursive: true, force: true });
    return `PostgreSQL ${major} of ${suite} does not run on this machine`;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
};

/** What cannot be had (a suite that has moved on to another release, an archive that does not answer) is told: the tests that need it are skipped, and say so. */
export const fetchNewerPostgres = (): void => {
  for (const release of newerReleases) {
    if (findNewerPostgres(release.major) !== null) continue;
    const source = sourceLine(release.suite);
    const failure = source === null ? "apt has nothing from Debian" : fetchRelease(release, source);
    if (failure !== null) process.stderr.write(`${failure}: tests on PostgreSQL ${release.major} will be skipped\n`);
  }
};
