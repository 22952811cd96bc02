/**
 * Keeps a restored cluster from acting: no archive, no upstream, no subscription, no scheduler, and no commit that waits for a standby which
 * is not there. By postgresql.auto.conf, which lies in the data folder whatever configuration the server is started with and comes last. What
 * stood there is kept beside it. How it is armed again: arming/.
 */
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathExists } from "../../platform/tree-files.ts";
import { readDisarmRecord, removeDisarmRecord } from "./arming/disarm-record.ts";
import { settingIn, settingLine } from "./arming/settings-text.ts";
import type { CapturedDetail } from "./cluster-facts.ts";
import { removeSequenceRecord } from "./sequence-record.ts";

export const settingsName = "postgresql.auto.conf";
/** Begins the line before what is off. */
export const disarmedComment = "# Refloat";

export const keptSettingsName = "postgresql.auto.conf.before-recovery";

/** For people and for the report: what was not loaded. PostgreSQL takes it for a setting of somebody's own. */
export const librariesOffName = "refloat.libraries_off";
const unknownLibraries = "whichever postgresql.conf names";

/** Libraries that watch, count or forbid, and start no work. Of any other nobody knows here what it would do. */
const observers: ReadonlySet<string> = new Set([
  "auth_delay",
  "auto_explain",
  "credcheck",
  "passwordcheck",
  "pg_hint_plan",
  "pg_qualstats",
  "pg_stat_kcache",
  "pg_stat_monitor",
  "pg_stat_statements",
  "pg_wait_sampling",
  "pgaudit",
  "plpgsql_check",
  "plprofiler",
  "safeupdate",
  "sepgsql",
  "set_user",
  "supautils",
]);

export const listOf = (text: string): readonly string[] =>
  text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

export const isObserver = (name: string): boolean =>
  observers.has(
    name
      .replaceAll('"', "")
      .replace(/^\$libdir\//, "")
      .replace(/\.so$/, ""),
  );

/** Of libraries that are not known none is loaded. @param before what was off already when the cluster was captured */
const librarySettings = (preloaded: string | null, before: string): Readonly<Record<string, string>> => {
  const names = listOf(preloaded ?? "");
  const off = [
    ...listOf(before),
    ...(preloaded === null ? [unknownLibraries] : names.filter((name) => !isObserver(name))),
  ];
  return {
    shared_preload_libraries: names.filter(isObserver).join(", "),
    ...(off.length === 0 ? {} : { [librariesOffName]: [...new Set(off)].join(", ") }),
  };
};

/** Settings by which a cluster would act on others, or wait for them. */
export const passiveSettings = {
  archive_mode: "off",
  archive_command: "",
  archive_library: "",
  primary_conninfo: "",
  primary_slot_name: "",
  restore_command: "",
  archive_cleanup_command: "",
  recovery_end_command: "",
  synchronous_standby_names: "",
  max_logical_replication_workers: "0",
  // Of pg_cron, from 1.5 on. An older one is kept still by not being loaded.
  "cron.launch_active_jobs": "off",
} as const;

export const readSettings = async (folder: string): Promise<string> =>
  (await pathExists(join(folder, settingsName))) ? readFile(join(folder, settingsName), "utf8") : "";

/** What holds in a folder that was disarmed and not armed again; null for any other. */
export const readDisarmed = async (folder: string): Promise<Readonly<Record<string, string>> | null> => {
  if (!(await pathExists(join(folder, keptSettingsName)))) return null;
  const libraries = settingIn(await readSettings(folder), "shared_preload_libraries");
  const off = { ...passiveSettings, ...(libraries === null ? {} : { shared_preload_libraries: libraries }) };
  const back = new Set((await readDisarmRecord(folder))?.back);
  return Object.fromEntries(Object.entries(off).filter(([name]) => !back.has(name)));
};

/** Signs of a standby or of a recovery that was under way: this one is none of them. */
const signals = ["standby.signal", "recovery.signal"] as const;

/** Before the server is started for the first time. @param folder of the restored cluster @param by whose doing it is: `run 42` */
export const disarm = async (
  folder: string,
  { preloadedLibraries }: Pick<CapturedDetail, "preloadedLibraries">,
  by: string,
): Promise<void> => {
  for (const name of signals) await rm(join(folder, name), { force: true });
  const [path, kept] = [join(folder, settingsName), join(folder, keptSettingsName)];
  const own = await readSettings(folder);
  // A cluster that was captured before anybody had armed it brings its original along: what is in force there is disarmed.
  const isDisarmed = await pathExists(kept);
  if (!isDisarmed) await ((await pathExists(path)) ? copyFile(path, kept) : writeFile(kept, ""));
  const before = isDisarmed ? (settingIn(own, librariesOffName) ?? "") : "";
  const lines = Object.entries({ ...passiveSettings, ...librarySettings(preloadedLibraries, before) }).map(
    ([name, value]) => settingLine(name, value),
  );
  // One that the cluster was captured with says what was off there; what is off here is recorded anew.
  await removeDisarmRecord(folder);
  await removeSequenceRecord(folder);
  const why = `${disarmedComment}, ${by}: off until refloat rearm puts it back; what stood here before: ${keptSettingsName}\n`;
  await writeFile(path, `${own}${own === "" || own.endsWith("\n") ? "" : "\n"}${why}${lines.join("")}`);
};
