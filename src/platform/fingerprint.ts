/**
 * What an application runs on: operating system, the shared libraries that its process maps, the packages that own them. Debian's
 * dpkg is asked where it is; elsewhere libraries are told without packages. Compares it with this machine.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, readFile, stat } from "node:fs/promises";
import { release as kernelRelease } from "node:os";
import { join } from "node:path";
import type { Fingerprint, FingerprintDifference } from "../model/fingerprint.ts";
import { packageSubject } from "../core/packages/package-subject.ts";
import { compareCertificates } from "./certificates.ts";
import { compareLocale } from "./locales.ts";
import { runProgram } from "./subprocess.ts";

type Libraries = Fingerprint["libraries"];
type Packages = Fingerprint["packages"];

const unquote = (text: string): string => text.replace(/^(["'])(.*)\1$/, "$2");

/** @param root of the system that is meant; its kernel is this machine's */
export const readOperatingSystem = async (root = "/"): Promise<Fingerprint["os"]> => {
  const text = await readFile(join(root, "etc/os-release"), "utf8").catch(() => "");
  const values = new Map(
    text.split("\n").map((line) => [line.slice(0, line.indexOf("=")), unquote(line.slice(line.indexOf("=") + 1))]),
  );
  return {
    id: values.get("ID") ?? "unknown",
    version: values.get("VERSION_ID") ?? "unknown",
    kernel: kernelRelease(),
    architecture: process.arch,
  };
};

/** Memory that bears a name and is no file: of a compiler that runs within the program, or shared. */
const isNoFile = (path: string): boolean => /^\/(?:memfd:|dev\/|SYSV)/.test(path);

/**
 * The program of a running process and every library that it has mapped: files whose code may run, whatever they are called (`python3.11`, `php-fpm8.2`), and
 * no data that is merely read. Empty when it may not be seen.
 */
export const mappedFiles = async (pid: number): Promise<readonly string[]> => {
  const maps = await readFile(`/proc/${pid}/maps`, "utf8").catch(() => "");
  const paths = maps
    .split("\n")
    .filter((line) => /^[0-9a-f]+-[0-9a-f]+ [r-][w-]x/.test(line))
    .map((line) => /\s(\/.*)$/.exec(line)?.[1]?.replace(/ \(deleted\)$/, ""))
    .filter((path) => path !== undefined)
    .filter((path) => !isNoFile(path));
  return [...new Set(paths)].toSorted();
};

/** The libraries that the dynamic linker would load for a program. Empty for a script or a static program. */
export const linkedLibraries = async (program: string, signal: AbortSignal): Promise<readonly string[]> => {
  try {
    const { stdout } = await runProgram("ldd", [program], { signal });
    const paths = stdout.split("\n").map((line) => /(?:=>\s+)?(\/\S+)\s+\(0x/.exec(line)?.[1]);
    return [...new Set(paths.filter((path) => path !== undefined))].toSorted();
  } catch {
    signal.throwIfAborted();
    return [];
  }
};

/** dpkg knows a path as its package has it, which may be before /lib became a link to /usr/lib. */
const spellings = (path: string): readonly string[] => [
  path,
  ...(path.startsWith("/usr/") ? [path.slice("/usr".length)] : [`/usr${path}`]),
];

/** @returns package by path, for the paths that belong to one */
const owners = async (paths: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> => {
  if (paths.length === 0) return new Map();
  // dpkg-query ends with 1 when it does not know some of the paths, which is an answer and no failure.
  const script = 'dpkg-query -S -- "$@" 2>/dev/null || true';
  const asked = paths.flatMap(spellings);
  const { stdout } = await runProgram("/bin/sh", ["-c", script, "sh", ...asked], { signal });
  const known = new Map<string, string>();
  for (const line of stdout.split("\n")) {
    const [, names, path] = /^([^:\s][^\s,]*(?:, [^\s,]+)*): (\/.*)$/.exec(line) ?? [];
    const owner = names?.split(", ")[0];
    if (owner !== undefined && path !== undefined) known.set(path, owner);
  }
  const pairs = paths.map(
    (path) =>
      [
        path,
        spellings(path)
          .map((spelling) => known.get(spelling))
          .find(Boolean),
      ] as const,
  );
  return new Map(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined));
};

const versionsOf = async (names: readonly string[], signal: AbortSignal): Promise<Packages> => {
  if (names.length === 0) return [];
  const script =
    'dpkg-query -W -f "\\${binary:Package}\\t\\${Version}\\t\\${db:Status-Status}\\n" -- "$@" 2>/dev/null || true';
  const { stdout } = await runProgram("/bin/sh", ["-c", script, "sh", ...names], { signal });
  return stdout
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(([, , status]) => status === "installed")
    .map(([name = "", version = ""]) => ({ name, version }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
};

/** Larger ones are interpreters of hundreds of megabytes; their path and package say enough. */
const hashLimitBytes = 32 * 1024 * 1024;

const hashFile = async (path: string, signal: AbortSignal): Promise<string | undefined> => {
  try {
    if ((await stat(path)).size > hashLimitBytes) return undefined;
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer);
    return hash.digest("hex");
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
};

/** Files with the package that owns each, a hash where none does, and the versions of the packages. */
export const describeFiles = async (
  paths: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly libraries: Libraries; readonly packages: Packages }> => {
  const owner = await owners(paths, signal);
  const libraries = await Promise.all(
    paths.map(async (path) => {
      const name = owner.get(path);
      if (name !== undefined) return { path, package: name };
      const sha256 = await hashFile(path, signal);
      return sha256 === undefined ? { path } : { path, sha256 };
    }),
  );
  return { libraries, packages: await versionsOf([...new Set(owner.values())], signal) };
};

const present = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const compareSystems = (captured: Fingerprint["os"], target: Fingerprint["os"]): readonly FingerprintDifference[] => {
  const name = (os: Fingerprint["os"]): string => `${os.id} ${os.version}`;
  const pairs: readonly (readonly [string, string, string])[] = [
    ["operating system", name(captured), name(target)],
    ["architecture", captured.architecture, target.architecture],
    ["kernel", kernelSeries(captured.kernel), kernelSeries(target.kernel)],
  ];
  return pairs
    .filter(([, before, now]) => before !== now)
    .map(([subject, before, now]) => ({
      subject,
      captured: before,
      target: now,
      severity: "differs",
      ...(subject === "architecture" ? { stops: true } : {}),
    }));
};

/** `6.1` of `6.1.0-28-amd64`: the rest changes with each update. */
const kernelSeries = (release: string): string => /^\d+\.\d+/.exec(release)?.[0] ?? release;

/** What of a captured fingerprint this machine lacks or has in another version. @param now what certificates are held against */
export const compareWithThisMachine = async (
  captured: Fingerprint,
  now: Date,
  signal: AbortSignal,
): Promise<readonly FingerprintDifference[]> => {
  const differences = [...compareSystems(captured.os, await readOperatingSystem())];
  const installed = new Map(
    (
      await versionsOf(
        captured.packages.map(({ name }) => name),
        signal,
      )
    ).map(({ name, version }) => [name, version]),
  );
  for (const { name, version } of captured.packages) {
    const here = installed.get(name) ?? null;
    if (here === version) continue;
    differences.push({
      subject: packageSubject(name),
      captured: version,
      target: here,
      ...(here === null ? ({ severity: "missing", stops: true } as const) : ({ severity: "differs" } as const)),
    });
  }
  for (const library of captured.libraries) {
    const subject = `file ${library.path}`;
    if (!(await present(library.path))) {
      // A missing package says it for all of its files.
      if (library.package === undefined || installed.has(library.package))
        differences.push({
          subject,
          captured: library.package ?? "present",
          target: null,
          severity: "missing",
          stops: true,
        });
    } else if (library.sha256 !== undefined) {
      const here = await hashFile(library.path, signal);
      if (here !== library.sha256)
        differences.push({
          subject,
          captured: library.sha256.slice(0, 8),
          target: here?.slice(0, 8) ?? null,
          severity: "differs",
        });
    }
  }
  return [
    ...differences,
    ...(await compareLocale(captured.locale, signal)),
    ...(await compareCertificates(captured.certificates ?? [], now)),
  ];
};
