/**
 * Capture of what an application's programs rest on: the archive of each package of the fingerprint, and of those that these need. They
 * lie beside the release in its snapshot, and meanwhile in the state folder, so that a package is made again only where a file of it has
 * changed.
 */
import { createHash } from "node:crypto";
import { lstat, mkdir, readFile, readdir, realpath, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import { type InstalledPackage, describePackage, isInstalled } from "../../core/packages/debian-package.ts";
import { withDependencies } from "../../core/packages/dependencies.ts";
import { formatAmount, formatList } from "../../core/text/quantity.ts";
import { type Fingerprint, type PackageArchive, packageArchiveSchema } from "../../model/fingerprint.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import { listedPaths } from "../../platform/packages/installed-files.ts";
import { archiveName, hashArchive, obtainArchive } from "../../platform/packages/obtain-archive.ts";
import { type PackageSystem, readPackages } from "../../platform/packages/package-database.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { type ProcessContext, releasePathOf } from "./process-options.ts";

/** Beside the release, whose own place is a path of the machine. */
export const packagesPath = "/refloat-packages";

const rememberedSchema = z.record(
  z.string(),
  z.object({ stamp: z.string(), archive: packageArchiveSchema.shape.archive.unwrap(), notes: z.array(z.string()) }),
);
type Remembered = z.infer<typeof rememberedSchema>;

const memoryPath = ({ stateDirectory }: ProcessContext): string => join(stateDirectory, "packages.json");
const archiveFolder = ({ stateDirectory }: ProcessContext): string => join(stateDirectory, "packages");

/** What cannot be read is made again. */
const remembered = async (context: ProcessContext): Promise<Remembered> => {
  try {
    return rememberedSchema.parse(JSON.parse(await readFile(memoryPath(context), "utf8")));
  } catch {
    return {};
  }
};

/** Changes with any file of the package: its size, its times, its place. */
const stampOf = async (system: PackageSystem, one: InstalledPackage): Promise<string> => {
  const hash = createHash("sha256").update(`${one.version}\n`);
  for (const path of await listedPaths(system, one)) {
    const seen = await lstat(Buffer.from(path, "latin1"), { bigint: true }).catch(() => null);
    // A folder is written to by others.
    if (seen?.isDirectory() === true) continue;
    hash.update(
      `${path}\0${seen === null ? "" : `${seen.ino} ${seen.size} ${seen.mtimeNs} ${seen.ctimeNs} ${seen.mode}`}\n`,
    );
  }
  return hash.digest("hex");
};

const isWhole = async (path: string, sha256: string, signal: AbortSignal): Promise<boolean> => {
  try {
    return (await hashArchive(path, signal)) === sha256;
  } catch {
    signal.throwIfAborted();
    return false;
  }
};

type Kept = { readonly record: PackageArchive; readonly memory: Remembered[string] | null };

const recordOf = (one: InstalledPackage): Omit<PackageArchive, "notes"> => {
  const { name, version, architecture, depends, preDepends, provides, conflicts } = one;
  return { name, version, architecture, depends, preDepends, provides, conflicts };
};

const keepArchive = async (
  context: ProcessContext,
  system: PackageSystem,
  one: InstalledPackage,
  known: Remembered[string] | undefined,
): Promise<Kept> => {
  const record = recordOf(one);
  const file = archiveName(one);
  const path = join(archiveFolder(context), file);
  const stamp = await stampOf(system, one);
  if (known?.stamp === stamp && (await isWhole(path, known.archive.sha256, system.signal)))
    return { record: { ...record, archive: known.archive, notes: known.notes }, memory: known };
  const made = `${path}.new`;
  await rm(made, { force: true });
  const obtained = await obtainArchive(system, one, made);
  const notes = [...obtained.notes];
  if ("lacking" in obtained) return { record: { ...record, lacking: obtained.lacking, notes }, memory: null };
  const sizeBytes = (await lstat(made)).size;
  const archive = {
    file: `${packagesPath}/${file}`,
    sha256: await hashArchive(made, system.signal),
    sizeBytes,
    from: obtained.from,
  };
  // A file that was written to while it was packed is packed again by the next capture.
  const isSteady = (await stampOf(system, one)) === stamp;
  await rename(made, path);
  if (!isSteady) notes.push("a file of it changed while it was packed");
  return { record: { ...record, archive, notes }, memory: isSteady ? { stamp, archive, notes } : null };
};

/** One package that cannot be had is told, and the others are still captured. */
const keepOrTell = async (
  context: ProcessContext,
  system: PackageSystem,
  one: InstalledPackage,
  known: Remembered[string] | undefined,
): Promise<Kept> => {
  try {
    return await keepArchive(context, system, one, known);
  } catch (error) {
    system.signal.throwIfAborted();
    await rm(join(archiveFolder(context), `${archiveName(one)}.new`), { force: true });
    if (!(error instanceof RefloatError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    const lacking = error instanceof RefloatError ? error.message : describeSystemError(error);
    return { record: { ...recordOf(one), lacking, notes: [] }, memory: null };
  }
};

const warningsOf = (archives: readonly PackageArchive[]): readonly string[] => [
  ...archives.flatMap((one) =>
    one.lacking === undefined ? [] : [`the point has no archive of package ${describePackage(one)}: ${one.lacking}`],
  ),
  ...archives.flatMap((one) => one.notes.map((note) => `package ${one.name}: ${note}`)),
];

/** A program that somebody built, or unpacked by hand, comes with no package: what lies outside of the release is in no point. */
const unowned = async (context: ProcessContext, libraries: Fingerprint["libraries"]): Promise<readonly string[]> => {
  const release = await realpath(await releasePathOf(context)).catch(() => null);
  return libraries
    .filter((one) => one.package === undefined)
    .map(({ path }) => path)
    .filter((path) => release === null || !path.startsWith(`${release}/`));
};

/**
 * Stores them, and names what could not be got in what it returns.
 * @param warnings what a person should know is added
 * @throws RefloatError vault.*; what cannot be had of packages is a warning and no error
 */
export const capturePackages = async (
  context: ProcessContext,
  sink: CaptureSink,
  { packages, libraries }: Pick<Fingerprint, "packages" | "libraries">,
  warnings: string[],
): Promise<readonly PackageArchive[]> => {
  const { signal } = context;
  const system = { root: "/", signal };
  const byHand = await unowned(context, libraries);
  if (byHand.length > 0)
    warnings.push(
      `no package owns ${formatList(byHand)}: not in the point, and to be there before a recovery on another machine (declare its folder as files, or put it into the release)`,
    );
  let needed: readonly InstalledPackage[];
  try {
    const installed = (await readPackages(system)).filter(isInstalled);
    needed = withDependencies(
      packages.map(({ name }) => name),
      installed,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    warnings.push(`no packages are captured: ${error.message}`);
    return [];
  }
  if (needed.length === 0)
    warnings.push("no packages are captured: none is known that owns the programs of the application");
  const folder = archiveFolder(context);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const before = await remembered(context);
  const memory: Remembered = {};
  const archives: PackageArchive[] = [];
  for (const one of needed) {
    const { record, memory: kept } = await keepOrTell(context, system, one, before[archiveName(one)]);
    archives.push(record);
    if (kept !== null) memory[archiveName(one)] = kept;
  }
  const wanted = new Set(
    archives.flatMap(({ archive }, at) => (archive === undefined ? [] : [archiveName(archives[at] as PackageArchive)])),
  );
  for (const name of await readdir(folder))
    if (!wanted.has(name)) await rm(join(folder, name), { force: true, recursive: true });
  await writeFileAtomically(memoryPath(context), JSON.stringify(memory));
  if (wanted.size > 0) {
    const { unsteady } = await sink.tree(folder, { exclude: [], oneFileSystem: false, as: packagesPath }, signal);
    if (unsteady.length > 0)
      warnings.push(`archives changed while they were captured: ${formatList(unsteady.map(({ path }) => path))}`);
  }
  warnings.push(...warningsOf(archives));
  context.log.debug(`${formatAmount(wanted.size, "archives")} of packages`, { component: context.component });
  return archives;
};
