/**
 * Provision of packages: what a captured application rests on is installed from the point by dpkg, without a network. Installs what is
 * missing and leaves what is there, unless told otherwise; removes only what its own run has installed anew. As root.
 */
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  type InstalledPackage,
  describePackage,
  isHalfInstalled,
  isInstalled,
  packageKey,
} from "../../core/packages/debian-package.ts";
import { installationStages, removable } from "../../core/packages/dependencies.ts";
import { type Installation, clashesOf, obstaclesOf, planInstallation } from "../../core/packages/installation.ts";
import { packageSubject } from "../../core/packages/package-subject.ts";
import type { PreflightReport } from "../../core/ports/driver.ts";
import type { ProvisionDriver, ProvisionOwner, ProvisionSight } from "../../core/ports/provision.ts";
import { formatAmount, formatBytes, formatList } from "../../core/text/quantity.ts";
import type { PackageArchive } from "../../model/fingerprint.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import { archiveName, hashArchive, readArchiveFields } from "../../platform/packages/obtain-archive.ts";
import { readPackages } from "../../platform/packages/package-database.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { type CapturedPackages, readCaptured, refuseForeignSystem } from "./captured-packages.ts";
import {
  type InstallRecord,
  ownerIn,
  readInstallRecord,
  removeInstallRecord,
  writeInstallRecord,
} from "./install-record.ts";
import { type PackagesContext, type PackagesOptions, packagesOptionsSchema, rootOf } from "./packages-options.ts";
import { letDpkgAct, waitForDpkg } from "./run-dpkg.ts";

const namesShown = 6;

const installedIn = (context: PackagesContext): Promise<readonly InstalledPackage[]> =>
  readPackages({ root: rootOf(context), signal: context.signal });

type Look = {
  readonly captured: CapturedPackages;
  readonly installed: readonly InstalledPackage[];
  readonly installation: Installation;
};

const look = async (context: PackagesContext): Promise<Look | null> => {
  const captured = await readCaptured(context);
  if (captured === null) return null;
  const installed = await installedIn(context);
  return {
    captured,
    installed,
    installation: planInstallation(captured.archives, installed, context.options.replace),
  };
};

/** In a person's words: what is there, and what of it is not as the point has it. */
const describeFound = ({ captured, installation }: Look): string => {
  const { same, left, lacking } = installation;
  const here = left.map(({ archive, version }) => `${archive.name} ${version} in place of ${archive.version}`);
  const parts = [
    `${formatAmount(same.length + left.length, "packages")} there`,
    ...(here.length === 0 ? [] : [`left as they are: ${formatList(here, namesShown)}`]),
    ...(lacking.length === 0
      ? []
      : [`not there, and the point has no archive of ${formatList(lacking.map(describePackage), namesShown)}`]),
    ...(captured.without.length === 0 ? [] : [`no packages of ${formatList(captured.without)}`]),
  ];
  return parts.join("; ");
};

/** A record of another root is none of what is there. */
const recordOf = async (context: PackagesContext): Promise<InstallRecord | null> => {
  const record = await readInstallRecord(context);
  return record?.root === rootOf(context) ? record : null;
};

type Recorded = InstallRecord["packages"][number];

const nowOf = (
  one: Pick<Recorded, "name" | "architecture">,
  installed: readonly InstalledPackage[],
): InstalledPackage | undefined => installed.find((other) => packageKey(other) === packageKey(one));

const isThere = (one: Recorded, installed: readonly InstalledPackage[]): boolean => {
  const now = nowOf(one, installed);
  return now !== undefined && isInstalled(now) && now.version === one.version;
};

const inspect = async (context: PackagesContext): Promise<ProvisionSight> => {
  await waitForDpkg(context);
  const record = await recordOf(context);
  const owner = ownerIn(record);
  if (record?.state === "begun") {
    const installed = await installedIn(context);
    const open = record.packages.filter((one) => !isThere(one, installed));
    if (open.length > 0)
      return {
        presence: "partial",
        owner,
        found: `installing has not come to its end of ${formatList(
          open.map(({ name, version }) => `${name} ${version}`),
          namesShown,
        )}`,
      };
  }
  const seen = await look(context);
  if (seen === null) return { presence: "done", owner, found: "nothing is restored, and packages stay as they are" };
  const [half] = seen.installation.half;
  if (half !== undefined)
    return {
      presence: "partial",
      owner: null,
      found: `${describePackage(half)} is ${half.status}: dpkg --configure -a`,
    };
  if (seen.installation.planned.length > 0) return { presence: "absent" };
  return { presence: "done", owner, found: describeFound(seen) };
};

const from = { cache: "from apt's cache", files: "made again of its files", registry: "from a registry" } as const;

const detailOf = ({ installation }: Look): readonly string[] => [
  ...installation.planned.map(({ archive, replaces }) => {
    const kept = archive.archive;
    const origin = kept === undefined ? "" : `, ${formatBytes(kept.sizeBytes)}, ${from[kept.from]}`;
    return replaces === null
      ? `install ${describePackage(archive)}${origin}`
      : `replace ${archive.name} ${replaces} by ${describePackage(archive)}${origin}`;
  }),
  ...installation.planned.flatMap(({ archive }) => archive.notes.map((note) => `  ${archive.name}: ${note}`)),
  ...installation.left.map(
    ({ archive, version }) => `leave ${archive.name} ${version}, of which the point has ${archive.version}`,
  ),
  ...installation.lacking.map(
    (archive) =>
      `not there, and not in the point: ${describePackage(archive)}: ${archive.lacking ?? "no reason is known"}`,
  ),
  ...(installation.planned.length === 0 ? [] : ["their scripts are run as root, as in any installation"]),
];

const refuseObstacles = async (
  context: PackagesContext,
  { captured, installation, installed }: Look,
): Promise<void> => {
  await refuseForeignSystem(
    context,
    captured,
    installation.planned.map(({ archive }) => archive),
  );
  const clashes = clashesOf(installation, installed);
  if (clashes.length > 0)
    throw new RefloatError(
      "plan.impossible",
      `${context.component} cannot be installed: ${formatList(clashes, namesShown)}`,
      {
        state: "nothing was changed",
        hint: "what is there is not removed for what the point has: remove it by hand, or leave the entry out",
      },
    );
  const obstacles = obstaclesOf(installation, installed);
  if (obstacles.length === 0) return;
  throw new RefloatError(
    "plan.impossible",
    `${context.component} cannot be installed: ${formatList(obstacles, namesShown)}`,
    {
      state: "nothing was changed",
      hint: "what is there is another version than what was captured: replace: older (or any) lets it be replaced by the point's",
    },
  );
};

const namesOf = (archives: readonly Pick<PackageArchive, "name" | "version">[]): string =>
  formatList(
    archives.map(({ name, version }) => `${name} ${version}`),
    namesShown,
  );

const preview: ProvisionDriver<PackagesOptions>["preview"] = async (context) => {
  const seen = await look(context);
  if (seen === null) return { what: "nothing is installed", detail: [] };
  await refuseObstacles(context, seen);
  const planned = seen.installation.planned.map(({ archive }) => archive);
  const where = rootOf(context) === "/" ? "" : ` into ${rootOf(context)}`;
  return {
    what: `installs by dpkg${where}: ${namesOf(planned)}`,
    detail: detailOf(seen),
    // What is in another root settles nothing on this machine.
    settles: where === "" ? planned.flatMap((one) => [packageSubject(one.name), packageSubject(packageKey(one))]) : [],
  };
};

const refuseWithoutRoot = (what: string): void => {
  if (process.getuid?.() === 0) return;
  throw new RefloatError("source.denied", `packages are ${what} by root`, { hint: "run Refloat as root" });
};

/** Where each archive lies. */
type Brought = ReadonlyMap<PackageArchive, string>;

/** Brings the archives out of the vault. What is not the very archive that was captured is installed by nobody. */
const bringArchives = async (
  context: PackagesContext,
  { sources }: CapturedPackages,
  archives: readonly PackageArchive[],
  folder: string,
): Promise<Brought> => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const paths = new Map<PackageArchive, string>();
  for (const one of archives) {
    const source = await sources.get(one)?.();
    if (one.archive === undefined || source === undefined)
      throw new RefloatError("bug", `${one.name} is to be installed, and nothing has its archive`);
    const path = join(folder, archiveName(one));
    await pipeline(Readable.from(source.stream(one.archive.file)), createWriteStream(path, { mode: 0o600 }), {
      signal: context.signal,
    });
    const damaged = (what: string): RefloatError =>
      new RefloatError("vault.damaged", `the archive of ${describePackage(one)} in the point ${what}`, {
        hint: "another point may have it whole: --at",
      });
    if ((await hashArchive(path, context.signal)) !== one.archive.sha256)
      throw damaged("is not the one that was captured");
    const { name, version, architecture } = await readArchiveFields(path, context.signal);
    if (name !== one.name || version !== one.version || architecture !== one.architecture)
      throw damaged(`is one of ${name} ${version} (${architecture})`);
    paths.set(one, path);
  }
  return paths;
};

const withArchives = (
  context: PackagesContext,
  captured: CapturedPackages,
  archives: readonly PackageArchive[],
  act: (paths: Brought) => Promise<void>,
): Promise<void> => {
  const folder = join(context.stateDirectory, "archives");
  return translateSystemErrors(
    "target.failed",
    `packages of ${context.component} cannot be brought to ${folder}`,
    async () => {
      try {
        await act(await bringArchives(context, captured, archives, folder));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
};

const apply: ProvisionDriver<PackagesOptions>["apply"] = async (context, { run, runUid }) => {
  refuseWithoutRoot("installed");
  const seen = await look(context);
  if (seen === null) throw new RefloatError("bug", `${context.component} is installed from a point, and there is none`);
  await refuseObstacles(context, seen);
  const { planned } = seen.installation;
  // What the same run has installed before, and lost since, is still its own to remove.
  const before = await recordOf(context);
  const kept = before?.runUid === runUid ? before.packages : [];
  const added = planned.map(({ archive: { name, version, architecture }, replaces, hasConfiguration }) => ({
    name,
    version,
    architecture,
    replaces,
    hasConfiguration,
  }));
  const isAdded = new Set(added.map(packageKey));
  const record: InstallRecord = {
    run,
    runUid,
    root: rootOf(context),
    state: "begun",
    packages: [...kept.filter((one) => !isAdded.has(packageKey(one))), ...added],
  };
  const archives = planned.map(({ archive }) => archive);
  await withArchives(context, seen.captured, archives, async (paths) => {
    await writeInstallRecord(context, record);
    for (const stage of installationStages(archives))
      await letDpkgAct(context, [...replaceWords(context), "--install", ...pathsOf(stage, paths)]);
  });
  await writeInstallRecord(context, { ...record, state: "whole" });
  return { summary: `installed ${namesOf(archives)}` };
};

/** dpkg itself refuses what may have become newer between our look and its own. */
const replaceWords = ({ options }: PackagesContext): readonly string[] =>
  options.replace === "any" ? [] : ["--refuse-downgrade"];

const refuseOther = (context: PackagesContext, record: InstallRecord, runUid: string): void => {
  if (record.runUid === runUid) return;
  throw new RefloatError("instance.exists", `packages of ${context.component} were installed by run ${record.run}`, {
    nextCommand: `refloat runs ${record.run}`,
  });
};

/** Contract of ProvisionDriver.finish: what is unpacked is configured, and what is torn or was not begun is installed. */
const finish = async (context: PackagesContext, { runUid }: ProvisionOwner): Promise<void> => {
  refuseWithoutRoot("installed");
  await waitForDpkg(context);
  const record = await recordOf(context);
  if (record === null) return;
  refuseOther(context, record, runUid);
  const before = await installedIn(context);
  const isOpen = (one: Recorded): boolean => !isThere(one, before);
  const isTorn = (one: Recorded): boolean => {
    const now = nowOf(one, before);
    return now === undefined || now.mustReinstall || now.version !== one.version || !isHalfInstalled(now);
  };
  const open = record.packages.filter(isOpen);
  const torn = open.filter(isTorn);
  const captured = await readCaptured(context);
  if (captured === null && torn.length > 0)
    throw new RefloatError("bug", `${context.component} is finished from a point, and there is none`);
  const archivesOf = (some: readonly Recorded[]): readonly PackageArchive[] =>
    (captured?.archives ?? []).filter(
      (one) =>
        one.archive !== undefined &&
        some.some((other) => packageKey(other) === packageKey(one) && other.version === one.version),
    );
  const act = async (paths: Brought): Promise<void> => {
    for (const stage of installationStages(archivesOf(open))) {
      const brought = pathsOf(stage, paths);
      if (brought.length > 0) await letDpkgAct(context, [...replaceWords(context), "--unpack", ...brought]);
      await configure(context, stage);
    }
    await configure(context, record.packages);
  };
  const wanted = archivesOf(torn);
  await (captured === null || wanted.length === 0 ? act(new Map()) : withArchives(context, captured, wanted, act));
  const now = await installedIn(context);
  if (record.packages.every((one) => isThere(one, now)))
    await writeInstallRecord(context, { ...record, state: "whole" });
};

const pathsOf = (archives: readonly PackageArchive[], paths: Brought): readonly string[] =>
  archives.flatMap((one) => paths.get(one) ?? []);

/** What of them is unpacked and not configured. */
const configure = async (
  context: PackagesContext,
  packages: readonly Pick<InstalledPackage, "name" | "architecture">[],
): Promise<void> => {
  const installed = await installedIn(context);
  const open = packages.filter((one) => {
    const now = nowOf(one, installed);
    return now !== undefined && isHalfInstalled(now) && !now.mustReinstall;
  });
  if (open.length > 0) await letDpkgAct(context, ["--configure", ...open.map(dpkgName)]);
};

/** `all` is no architecture that dpkg installs for. */
const dpkgName = (one: Pick<Recorded, "name" | "architecture">): string =>
  one.architecture === "all" ? one.name : packageKey(one);

const destroy = async (context: PackagesContext, { runUid }: ProvisionOwner): Promise<void> => {
  await waitForDpkg(context);
  const record = await recordOf(context);
  if (record === null) return;
  refuseOther(context, record, runUid);
  refuseWithoutRoot("removed");
  const installed = await installedIn(context);
  // What somebody has brought to another version since is theirs.
  const own = record.packages.flatMap((one) => {
    const now = nowOf(one, installed);
    if (one.replaces !== null || now === undefined) return [];
    // Its configuration is left where a removal was killed before it came to that.
    const isLeft = now.status === "config-files" && !one.hasConfiguration;
    if (!isLeft && !isHalfInstalled(now) && (!isInstalled(now) || now.version !== one.version)) return [];
    return [{ one, now }];
  });
  const { removed, kept } = removable(
    own.map(({ now }) => now),
    installed.filter(isInstalled),
  );
  for (const [one, by] of kept)
    context.log.warn(`${one.name} stays: ${by} needs it by now`, { entry: context.component });
  const going = own.filter(({ now }) => removed.includes(now));
  const words = (hadConfiguration: boolean): readonly string[] =>
    going.filter(({ one }) => one.hasConfiguration === hadConfiguration).map(({ one }) => dpkgName(one));
  const purged = words(false);
  const removedOnly = words(true);
  const force = going.some(({ now }) => now.mustReinstall) ? ["--force-remove-reinstreq"] : [];
  // Together first: of two calls the first would be kept by the needs of the second.
  if (removedOnly.length > 0) await letDpkgAct(context, [...force, "--remove", ...removedOnly, ...purged]);
  if (purged.length > 0) await letDpkgAct(context, [...force, "--purge", ...purged]);
  await removeInstallRecord(context);
};

const preflight = async (context: PackagesContext): Promise<PreflightReport> => {
  const subject = `provision ${context.component}`;
  const sight = await inspect(context);
  const report = (ok: boolean, found: string, hint?: string): PreflightReport => ({
    findings: [{ ok, subject, found, ...(hint === undefined ? {} : { hint }) }],
    commands: [],
    recoveryCommands: ["dpkg --install ARCHIVES"],
    grants: [],
  });
  if (sight.presence === "partial") return report(false, sight.found);
  const captured = await readCaptured(context);
  if (captured !== null && captured.without.length > 0)
    return report(
      false,
      `no packages of ${formatList(captured.without)}`,
      "declare packages: captured there, and capture",
    );
  if (sight.presence === "done") return report(true, sight.found);
  try {
    const { what } = await preview(context);
    return process.getuid?.() === 0
      ? report(true, `a recovery ${what}`)
      : report(false, `a recovery ${what}, as root alone`, "run Refloat as root");
  } catch (error) {
    const { code, message, hint } = toRefloatError(error);
    if (code === "bug") throw error;
    return report(false, message, hint);
  }
};

export const packagesProvision: ProvisionDriver<PackagesOptions> = {
  type: "packages",
  summary: "Packages of Debian that a point was captured with, installed without a network.",
  options: packagesOptionsSchema,
  outputs: () => ({}),
  preflight,
  preview,
  inspect,
  apply,
  finish,
  read: async () => ({}),
  destroy,
};
