/** What installing captured packages would do to a system: which are missing, which are there in another version, what it would lack. Pure. */
import type { PackageArchive } from "../../model/fingerprint.ts";
import {
  type DebianPackage,
  type InstalledPackage,
  describePackage,
  isHalfInstalled,
  isInstalled,
  packageKey,
} from "./debian-package.ts";
import { compareDebianVersions } from "./debian-version.ts";
import { conflictsBetween, unmetDependencies } from "./dependencies.ts";

export type ReplaceRule = "older" | "any" | undefined;

export type Planned = {
  readonly archive: PackageArchive;
  /** Version that it replaces; null where there is none. */
  readonly replaces: string | null;
  /** Its configuration was left there by an earlier removal. */
  readonly hasConfiguration: boolean;
};

export type Installation = {
  readonly planned: readonly Planned[];
  /** There in another version, and left. */
  readonly left: readonly { readonly archive: PackageArchive; readonly version: string }[];
  /** There in the version of the point. */
  readonly same: readonly PackageArchive[];
  /** Not there, and the point has no archive of it. */
  readonly lacking: readonly PackageArchive[];
  /** Half installed by somebody. */
  readonly half: readonly InstalledPackage[];
};

/** Of components whose packages differ the newest is wanted. */
export const newestOfEach = (archives: readonly PackageArchive[]): readonly PackageArchive[] => {
  const newest = new Map<string, PackageArchive>();
  for (const one of archives) {
    const known = newest.get(packageKey(one));
    if (known === undefined || compareDebianVersions(one.version, known.version) > 0) newest.set(packageKey(one), one);
  }
  return [...newest.values()].toSorted((a, b) => (packageKey(a) < packageKey(b) ? -1 : 1));
};

const mayReplace = (captured: string, there: string, rule: ReplaceRule): boolean =>
  rule === "any" || (rule === "older" && compareDebianVersions(there, captured) < 0);

/** A package may have become one of all architectures, or of one, since. */
const sameName = (one: DebianPackage, other: DebianPackage): boolean =>
  one.name === other.name &&
  (one.architecture === other.architecture || one.architecture === "all" || other.architecture === "all");

export const planInstallation = (
  wanted: readonly PackageArchive[],
  installed: readonly InstalledPackage[],
  rule: ReplaceRule,
): Installation => {
  const installation = {
    planned: [] as Planned[],
    left: [] as { archive: PackageArchive; version: string }[],
    same: [] as PackageArchive[],
    lacking: [] as PackageArchive[],
    half: [] as InstalledPackage[],
  };
  for (const archive of wanted) {
    const known = installed.filter((one) => sameName(one, archive));
    const there = known.find(isInstalled);
    const half = known.find(isHalfInstalled);
    if (half !== undefined) installation.half.push(half);
    else if (there?.version === archive.version) installation.same.push(archive);
    else if (there !== undefined && !mayReplace(archive.version, there.version, rule))
      installation.left.push({ archive, version: there.version });
    else if (archive.archive === undefined) {
      if (there === undefined) installation.lacking.push(archive);
      else installation.left.push({ archive, version: there.version });
    } else
      installation.planned.push({
        archive,
        replaces: there?.version ?? null,
        hasConfiguration: known.some(({ status }) => status === "config-files"),
      });
  }
  return installation;
};

type Sides = { readonly incoming: readonly PackageArchive[]; readonly staying: readonly InstalledPackage[] };

const sidesOf = ({ planned }: Installation, installed: readonly InstalledPackage[]): Sides => {
  const incoming = planned.map(({ archive }) => archive);
  const staying = installed.filter((one) => isInstalled(one) && !incoming.some((other) => sameName(one, other)));
  return { incoming, staying };
};

/** What dpkg would refuse in the middle, or, where the one that comes replaces the other as well, would remove without a word. */
export const clashesOf = (installation: Installation, installed: readonly InstalledPackage[]): readonly string[] => {
  const { incoming, staying } = sidesOf(installation, installed);
  const found = conflictsBetween(incoming, staying);
  return [
    ...new Set(
      found.map(({ by, with: other }) => `${describePackage(by)} may not be beside ${describePackage(other)}`),
    ),
  ];
};

/** Why dpkg could not bring it to an end, or would break what is there: needs that neither the system nor the point meets. */
export const obstaclesOf = (installation: Installation, installed: readonly InstalledPackage[]): readonly string[] => {
  const { incoming, staying } = sidesOf(installation, installed);
  const before = new Set(
    unmetDependencies(staying, installed.filter(isInstalled)).map(({ by, needs }) => `${packageKey(by)} ${needs}`),
  );
  return unmetDependencies([...incoming, ...staying], [...incoming, ...staying])
    .filter(({ by, needs }) => !before.has(`${packageKey(by)} ${needs}`))
    .map(({ by, needs }) => `${describePackage(by)} needs ${needs}`);
};
