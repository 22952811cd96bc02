/**
 * The archive of an installed package: from apt's cache where it is the one that apt or dpkg knows, else made again of its files, else
 * from a registry. Says what differs from what the package brought, and why there is none where there is none.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { InstalledPackage } from "../../core/packages/debian-package.ts";
import { formatAmount, formatList } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readInfo, readInstalledFiles } from "./installed-files.ts";
import { makeArchive } from "./make-archive.ts";
import { type PackageSystem, askDpkg } from "./package-database.ts";

export type ObtainedArchive =
  | { readonly from: "cache" | "files" | "registry"; readonly notes: readonly string[] }
  | { readonly lacking: string; readonly notes: readonly string[] };

/** A registry that does not answer must not hold a capture up. */
const downloadTimeoutMs = 60_000;

/** A colon is none in a file's name, as apt has it too. */
export const archiveName = ({
  name,
  version,
  architecture,
}: Pick<InstalledPackage, "name" | "version" | "architecture">): string =>
  `${name}_${version.replaceAll(":", "%3a")}_${architecture}.deb`;

export const hashArchive = async (path: string, signal: AbortSignal): Promise<string> => {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer);
  return hash.digest("hex");
};

/** @throws RefloatError program.failed for what is no archive */
export const readArchiveFields = async (
  path: string,
  signal: AbortSignal,
): Promise<Pick<InstalledPackage, "name" | "version" | "architecture">> => {
  const text = await askDpkg("dpkg-deb", ["--field", path, "Package", "Version", "Architecture"], { signal });
  const value = (field: string): string => new RegExp(`^${field}: (.*)$`, "m").exec(text)?.[1] ?? "";
  return { name: value("Package"), version: value("Version"), architecture: value("Architecture") };
};

/** The checksum that apt's lists have of it; null where they do not know this version. */
const checksumOfApt = async ({ root, signal }: PackageSystem, one: InstalledPackage): Promise<string | null> => {
  if (root !== "/") return null;
  try {
    const words = ["show", "--", `${one.name}:${one.architecture}=${one.version}`];
    const text = await askDpkg("apt-cache", words, { signal });
    const of = (stanza: string, field: string) => new RegExp(`^${field}: (.*)$`, "m").exec(stanza)?.[1];
    const stanza = text
      .split("\n\n")
      .find((part) => of(part, "Version") === one.version && of(part, "Architecture") === one.architecture);
    return stanza === undefined ? null : (of(stanza, "SHA256") ?? null);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RefloatError) return null;
    throw error;
  }
};

/** Null when it is the archive that was installed; else why that is in doubt. */
const doubtOf = async (system: PackageSystem, one: InstalledPackage, path: string): Promise<string | null> => {
  const { signal } = system;
  try {
    const { name, version, architecture } = await readArchiveFields(path, signal);
    if (name !== one.name || version !== one.version || architecture !== one.architecture)
      return `is one of ${name} ${version} (${architecture})`;
    const known = await checksumOfApt(system, one);
    if (known !== null) return (await hashArchive(path, signal)) === known ? null : "is not what apt's lists know";
    // Without lists there is what dpkg has kept of the archive that it installed.
    const installed = await readInfo(system, one, "md5sums");
    if (installed === null) return "cannot be held against anything: dpkg has no checksums of the package";
    const inside = await askDpkg("dpkg-deb", ["--info", path, "md5sums"], { signal });
    return inside.trimEnd() === installed.toString().trimEnd()
      ? null
      : "has other checksums than dpkg has of the package";
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RefloatError) return "cannot be read";
    throw error;
  }
};

const fromCache = async (
  system: PackageSystem,
  one: InstalledPackage,
  target: string,
): Promise<{ readonly found: boolean; readonly notes: readonly string[] }> => {
  const path = join(system.root, "var/cache/apt/archives", archiveName(one));
  try {
    // What is looked at is what is stored: apt may clean its cache meanwhile, or somebody may write there.
    await copyFile(path, target);
  } catch (error) {
    if (["ENOENT", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) return { found: false, notes: [] };
    throw error;
  }
  const doubt = await doubtOf(system, one, target);
  if (doubt === null) return { found: true, notes: [] };
  await rm(target, { force: true });
  return { found: false, notes: [`its archive in apt's cache ${doubt} and was not taken`] };
};

/** Leaves out what `dpkg.cfg` keeps from being unpacked on small systems, and counts it. */
const isDocumentation = (path: string): boolean =>
  /^\/usr\/share\/(doc|man|info|locale|lintian|gnome\/help)\//.test(path);

const notesOfMissing = (missing: readonly string[]): readonly string[] => {
  const others = missing.filter((path) => !isDocumentation(path));
  const left = missing.length - others.length;
  return [
    ...(others.length === 0
      ? []
      : [`its archive is without ${formatList(others)}, which the package brought and which is not there`]),
    ...(left === 0
      ? []
      : [`its archive is without ${formatAmount(left, "files")} of documentation, which are not there`]),
  ];
};

/** `??5?????? c /etc/x.conf`: what is there and differs from what the package brought. */
const changedFiles = async ({ root, signal }: PackageSystem, one: InstalledPackage): Promise<readonly string[]> => {
  const words = [`--root=${root}`, "--verify", `${one.name}:${one.architecture}`];
  const text = await askDpkg("dpkg", words, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    // It ends with 1 where something differs.
    const said = (error as { cause?: { stdout?: unknown } }).cause?.stdout;
    if (error instanceof RefloatError && typeof said === "string") return said;
    throw error;
  });
  return text.split("\n").flatMap((line) => /^\S*5\S* . (\/.*)$/.exec(line)?.[1] ?? []);
};

const download = async (system: PackageSystem, one: InstalledPackage, target: string): Promise<string | null> => {
  const { root, signal } = system;
  if (root !== "/") return "it is not of this machine";
  const folder = await mkdtemp(`${target}.d`);
  try {
    const quiet = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"];
    const words = [...quiet, "download", "--", `${one.name}:${one.architecture}=${one.version}`];
    await askDpkg("apt-get", words, { signal, cwd: folder, timeoutMs: downloadTimeoutMs });
    const name = (await readdir(folder)).find((file) => file.endsWith(".deb"));
    if (name === undefined) return "apt-get download brought none";
    const doubt = await doubtOf(system, one, join(folder, name));
    if (doubt !== null) return `what apt-get download brought ${doubt}`;
    await rename(join(folder, name), target);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RefloatError) return error.message;
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/**
 * @param target a new file; there only where something was obtained
 * @throws what the file system says where `target` cannot be written; the signal's reason
 */
export const obtainArchive = async (
  system: PackageSystem,
  one: InstalledPackage,
  target: string,
): Promise<ObtainedArchive> => {
  // dpkg waits for a writer where a pipe stands in a file's place.
  const isComparable = await readInstalledFiles(system, one).then(
    () => true,
    (error: unknown) => {
      if (error instanceof RefloatError) return false;
      throw error;
    },
  );
  const changed = isComparable ? await changedFiles(system, one) : [];
  const cached = await fromCache(system, one, target);
  const differing = (has: string): readonly string[] =>
    changed.length === 0
      ? []
      : [
          `${formatList(changed)} ${changed.length === 1 ? "differs" : "differ"} from what the package brought: its archive has ${has}`,
        ];
  if (cached.found) return { from: "cache", notes: differing("what it brought") };
  let why: string;
  try {
    const { missing } = await makeArchive(system, one, target);
    return { from: "files", notes: [...cached.notes, ...differing("what is there"), ...notesOfMissing(missing)] };
  } catch (error) {
    await rm(target, { force: true });
    system.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    why = error.message;
  }
  const refused = await download(system, one, target);
  if (refused === null) return { from: "registry", notes: [...cached.notes, ...differing("what it brought")] };
  return {
    lacking: `it cannot be made of its files (${why}), and no registry has it (${refused})`,
    notes: cached.notes,
  };
};
