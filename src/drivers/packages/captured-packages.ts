/** What a point has of packages for an entry, and whether they are packages of the system that they are to be installed into. */
import { newestOfEach } from "../../core/packages/installation.ts";
import { packageKey } from "../../core/packages/debian-package.ts";
import type { SnapshotReader } from "../../core/ports/vault-snapshots.ts";
import type { Fingerprint, PackageArchive } from "../../model/fingerprint.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { architecturesOf } from "../../platform/packages/package-database.ts";
import { readOperatingSystem } from "../../platform/fingerprint.ts";
import { type PackagesContext, rootOf } from "./packages-options.ts";

export type CapturedPackages = {
  readonly archives: readonly PackageArchive[];
  /** Of the archives by key, whose snapshot has it. */
  readonly sources: ReadonlyMap<PackageArchive, () => Promise<SnapshotReader>>;
  /** Systems that they were captured on. */
  readonly systems: readonly Fingerprint["os"][];
  /** Components of which the point has no packages, and why. */
  readonly without: readonly string[];
};

/** @returns null where no point is at hand */
export const readCaptured = async ({ captured, options }: PackagesContext): Promise<CapturedPackages | null> => {
  if (captured === undefined) return null;
  const archives: PackageArchive[] = [];
  const sources = new Map<PackageArchive, () => Promise<SnapshotReader>>();
  const systems: Fingerprint["os"][] = [];
  const without: string[] = [];
  for (const component of options.of) {
    const part = await captured(component);
    const fingerprint = part?.captured.fingerprint;
    if (part === null || fingerprint?.archives === undefined) {
      without.push(`${component} (${part === null ? "not in the point" : "captured without packages: captured"})`);
      continue;
    }
    systems.push(fingerprint.os);
    for (const archive of fingerprint.archives) {
      archives.push(archive);
      sources.set(archive, part.source);
    }
  }
  return { archives: newestOfEach(archives), sources, systems, without };
};

/** @throws RefloatError plan.impossible for packages of another release or architecture */
export const refuseForeignSystem = async (
  context: PackagesContext,
  { systems }: CapturedPackages,
  planned: readonly PackageArchive[],
): Promise<void> => {
  const root = rootOf(context);
  const here = await readOperatingSystem(root);
  const refuse = (reason: string): RefloatError =>
    new RefloatError("plan.impossible", `${context.component} cannot be installed: ${reason}`, {
      state: "nothing was changed",
      hint: "recover on a system like the one that was captured, or leave the entry out and install its successors by hand",
    });
  for (const { id, version } of systems)
    if (id !== here.id || version !== here.version)
      throw refuse(
        `the packages are of ${id} ${version}, and ${root === "/" ? "this machine" : root} is ${here.id} ${here.version}`,
      );
  const taken = await architecturesOf({ root, signal: context.signal });
  const foreign = planned.find(({ architecture }) => architecture !== "all" && !taken.includes(architecture));
  if (foreign !== undefined)
    throw refuse(
      `${packageKey(foreign)} is of ${foreign.architecture}, and ${root === "/" ? "this machine" : root} takes ${taken.join(", ")}`,
    );
};
