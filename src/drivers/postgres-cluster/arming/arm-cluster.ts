/**
 * Arms a cluster: the server is stopped, its settings are given back and its subscriptions and jobs switched one by one, it is started and asked. What
 * is not as it is to be then puts all of it back. The record says first what has begun, so that whoever was killed is followed by the same request.
 */
import { chown, lstat, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ArmRequest } from "../../../core/ports/arming.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { writeFileAtomically } from "../../../platform/atomic-file.ts";
import { ownerOf } from "../../../platform/folder-server/folder-owner.ts";
import { resolveTarget } from "../../../platform/postgres/connection-target.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { readControlData } from "../control-data.ts";
import { disarmedComment, keptSettingsName, readSettings, settingsName } from "../disarm.ts";
import { serveStable, stopLive } from "../live-server.ts";
import { withCluster } from "../locations.ts";
import { findPostmaster } from "../postmaster.ts";
import { historyName } from "../timeline-history.ts";
import { type DisarmRecord, removeDisarmRecord, writeDisarmRecord } from "./disarm-record.ts";
import {
  cronSetting,
  outstandingItems,
  settingsBack,
  subscriptionItem,
  subscriptionSetting,
} from "./disarmed-items.ts";
import {
  type ArchiveChoice,
  askServer,
  chooseArchive,
  configuredAt,
  proposeArming,
  startOptionsOf,
} from "./propose-arming.ts";
import { readKept } from "./record-disarmed.ts";
import { settingIn, withSettings } from "./settings-text.ts";
import { switchObjects } from "./switch-objects.ts";

type Texts = { readonly automatic: string; readonly kept: string };

const writeTexts = async (stable: string, { automatic, kept }: Texts): Promise<void> => {
  const { uid, gid } = await lstat(stable);
  await writeFileAtomically(join(stable, keptSettingsName), kept, 0o600, { uid, gid });
  await writeFileAtomically(join(stable, settingsName), automatic, 0o600, { uid, gid });
};

/** What is given back is as it stood before the recovery; a new place of the archive is written beside that, for good. */
const armedTexts = (
  before: Texts,
  record: DisarmRecord,
  back: readonly string[],
  archive: ArchiveChoice | null,
): Texts => {
  const kept =
    archive?.kind !== "command"
      ? before.kept
      : withSettings(before.kept, {
          archive_command: archive.command,
          archive_library: "",
          ...(record.settings === null ? { archive_mode: "on" } : {}),
        });
  const values = Object.fromEntries(back.map((name) => [name, settingIn(kept, name)]));
  return { kept, automatic: withSettings(before.automatic, values) };
};

const withoutComments = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !line.startsWith(disarmedComment))
    .join("\n");

/** Nothing waits any more: what was left off stays in the settings as if somebody had set it. */
const finishRecord = async (stable: string, record: DisarmRecord): Promise<void> => {
  if (outstandingItems(record).length > 0) return writeDisarmRecord(stable, record);
  const { uid, gid } = await lstat(stable);
  const automatic = withoutComments(await readSettings(stable));
  await writeFileAtomically(join(stable, settingsName), automatic, 0o600, { uid, gid });
  // Whether it is disarmed is told by this file.
  await rm(join(stable, keptSettingsName), { force: true });
  await removeDisarmRecord(stable);
};

/** A new archive begins with how its timeline came about; it also shows at once whether anything gets there. */
const announceHistory = async (context: ClusterContext, stable: string): Promise<void> => {
  const history = historyName((await readControlData(context, stable)).timeline);
  if (!(await pathExists(join(stable, "pg_wal", history)))) return;
  const ready = join(stable, "pg_wal/archive_status", `${history}.ready`);
  await rm(ready.replace(/ready$/, "done"), { force: true });
  await writeFile(ready, "", { mode: 0o600 });
  const { uid, gid } = await ownerOf(stable, context.signal);
  if (process.getuid?.() === 0) await chown(ready, uid, gid);
};

/** Everybody may read them. */
const comparedSettings = ["archive_mode", "max_logical_replication_workers", "synchronous_standby_names"] as const;

const archiverSql = `
  select last_archived_wal as archived, last_failed_wal as failed, last_archived_time > pg_postmaster_start_time() as "hasArchived",
         last_failed_time > pg_postmaster_start_time() as "hasFailed" from pg_stat_archiver`;

type ArchiverRow = {
  readonly archived: string | null;
  readonly failed: string | null;
  readonly hasArchived: boolean | null;
  readonly hasFailed: boolean | null;
};

const archiverPatienceMs = 15_000;
/** A file that fails is tried three times, a second apart. */
const failurePatienceMs = 5_000;
const lookAgainMs = 100;

/** @throws RefloatError target.failed when it tries, and fails */
const watchArchiver = async (context: ClusterContext, ask: () => Promise<ArchiverRow | undefined>): Promise<string> => {
  let until = context.clock.monotonicMs() + archiverPatienceMs;
  for (;;) {
    const row = await ask();
    if (row?.hasFailed === true) until = Math.min(until, context.clock.monotonicMs() + failurePatienceMs);
    if (row?.hasArchived === true) return `the first file is archived: ${row.archived ?? ""}`;
    if (context.clock.monotonicMs() > until) {
      if (row?.hasFailed !== true)
        return "nothing was archived yet: that shows with the next file of the log (pg_stat_archiver)";
      throw new RefloatError("target.failed", `archive_command fails for ${row.failed ?? "the first file"}`, {
        hint: "what it says stands in the server's log",
      });
    }
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

/** @throws RefloatError target.failed for what is not as it is to be */
const verifyArmed = async (
  context: ClusterContext,
  stable: string,
  record: DisarmRecord,
  { chosen, back }: { readonly chosen: readonly string[]; readonly back: readonly string[] },
): Promise<readonly string[]> => {
  const configured = await configuredAt(context, stable);
  return withCluster(context, await resolveTarget(context), "target", async (session) => {
    const rows = await session.query<{ name: string; setting: string }>(
      "select name, setting from pg_settings where name = any($1)",
      [comparedSettings],
    );
    for (const { name, setting } of rows) {
      const wanted = configured.known ? configured.values[name] : undefined;
      if (back.includes(name) && wanted !== undefined && wanted !== setting)
        throw new RefloatError("target.failed", `${name} is '${setting}' after the start, and was to be '${wanted}'`, {
          hint: "what the server's command line sets wins over its files",
        });
    }
    const off = await session.query<{ database: string; name: string }>(
      "select datname as database, subname as name from pg_subscription s join pg_database d on d.oid = s.subdbid where not subenabled",
    );
    const still = off.map(subscriptionItem).filter((name) => chosen.includes(name));
    if (still.length > 0) throw new RefloatError("target.failed", `${still.join(", ")} is still disabled`);
    if (!chosen.includes("archive")) return [];
    return [await watchArchiver(context, async () => (await session.query<ArchiverRow>(archiverSql))[0])];
  });
};

/** What was given back by earlier acts, whatever one that was killed has written. */
const backBefore = (record: DisarmRecord): readonly string[] =>
  record.armed.length === 0 ? [] : settingsBack(record, []);

/** After a failure, or when somebody has asked us to stop: whatever that was, the server is to run as before. */
const putBack = async (
  context: ClusterContext,
  stable: string,
  record: DisarmRecord,
  before: Texts,
  databases: readonly string[] | null,
): Promise<void> => {
  await stopLive(context, stable);
  await writeTexts(stable, before);
  // What keeps all of them off is not there any more once one of them was armed: those that were switched on would act.
  if (record.armed.length > 0) {
    const places = { folder: stable, options: await startOptionsOf(stable), databases };
    await switchObjects(context, places, record, [], [subscriptionSetting, cronSetting]);
  }
  await writeDisarmRecord(stable, { ...record, begun: [], before: null, back: [...backBefore(record)] });
  await serveStable(context, stable);
};

export const armCluster = async (
  context: ClusterContext,
  stable: string,
  record: DisarmRecord,
  request: ArmRequest,
): Promise<readonly string[]> => {
  const { items } = await proposeArming(context, stable, record, request);
  const chosen = items.map(({ name }) => name);
  if (chosen.length === 0) return [];
  const archive = chosen.includes("archive")
    ? await chooseArchive(context, stable, record, request.archiveCommand)
    : null;
  const databases = (await askServer(context, stable))?.databases ?? null;
  const before: Texts = record.before ?? { automatic: await readSettings(stable), kept: await readKept(stable) };
  const back = settingsBack(record, chosen);
  const after: DisarmRecord = { ...record, begun: chosen, before, back: [...back] };
  await writeDisarmRecord(stable, after);
  try {
    await stopLive(context, stable);
    await writeTexts(stable, armedTexts(before, record, back, archive));
    await switchObjects(
      context,
      { folder: stable, options: await startOptionsOf(stable), databases },
      record,
      chosen,
      back,
    );
    if (archive !== null) await announceHistory(context, stable);
    await serveStable(context, stable);
    const said = await verifyArmed(context, stable, record, { chosen, back });
    await finishRecord(stable, { ...after, begun: [], before: null, armed: [...record.armed, ...chosen] });
    return said;
  } catch (error) {
    const alone = { ...context, signal: new AbortController().signal };
    try {
      await putBack(alone, stable, record, before, databases);
    } catch (second) {
      const why = second instanceof RefloatError ? second.message : String(second);
      throw new RefloatError("target.failed", `arming failed, and so did putting it back: ${why}`, {
        cause: error,
        state: (await findPostmaster(stable)) === null ? `no server runs in ${stable}` : `a server runs in ${stable}`,
        hint: "give the same command again when what keeps the server from starting is mended",
      });
    }
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    throw new RefloatError(error.code, error.message, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      state: "all of it is off as before, and the server runs",
    });
  }
};

/** Settings stay as they are; a subscription or a job that is left is switched off itself when the first of its kind is armed. */
export const leaveOff = async (stable: string, record: DisarmRecord, items: readonly string[]): Promise<void> =>
  finishRecord(stable, { ...record, left: [...record.left, ...items] });
