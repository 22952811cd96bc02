/**
 * Keeps a restored cluster from acting: no archive, no upstream, no subscription, no scheduler, and no commit that waits for a standby which
 * is not there. By postgresql.auto.conf, which lies in the data folder whatever configuration the server is started with and comes last. What
 * stood there is kept beside it, and a person arms the cluster again by putting it back.
 */
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shellWord } from "../../core/text/shell-word.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { CapturedDetail } from "./cluster-facts.ts";

const settingsName = "postgresql.auto.conf";
export const keptSettingsName = "postgresql.auto.conf.before-recovery";

/** For people and for the report: what was not loaded. PostgreSQL takes it for a setting of somebody's own. */
const librariesOffName = "refloat.libraries_off";
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

const listOf = (text: string): readonly string[] =>
  text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

const isObserver = (name: string): boolean =>
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
const passive = {
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
  // Only read where pg_cron is loaded.
  "cron.launch_active_jobs": "off",
} as const;

/** The last one of a file counts; null when it is not set there. */
const settingIn = (text: string, name: string): string | null => {
  const lines = [...text.matchAll(/^\s*(?<name>[\w.]+)\s*=?\s*'(?<value>(?:[^']|'')*)'/gm)];
  const found = lines.findLast((line) => line.groups?.["name"] === name)?.groups?.["value"];
  return found === undefined ? null : found.replaceAll("''", "'");
};

const readSettings = async (folder: string): Promise<string> =>
  (await pathExists(join(folder, settingsName))) ? readFile(join(folder, settingsName), "utf8") : "";

/** What holds in a folder that was disarmed and not armed again; null for any other. */
export const readDisarmed = async (folder: string): Promise<Readonly<Record<string, string>> | null> => {
  if (!(await pathExists(join(folder, keptSettingsName)))) return null;
  const libraries = settingIn(await readSettings(folder), "shared_preload_libraries");
  return { ...passive, ...(libraries === null ? {} : { shared_preload_libraries: libraries }) };
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
  const lines = Object.entries({ ...passive, ...librarySettings(preloadedLibraries, before) }).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  );
  const why = `# Refloat, ${by}: off until ${keptSettingsName} is put back in place of this file and the server is stopped and started.\n`;
  await writeFile(path, `${own}${own === "" || own.endsWith("\n") ? "" : "\n"}${why}${lines.join("")}`);
};

/** What a person is told after the switch, and how to arm the cluster again. */
export const describeDisarmed = async (folder: string): Promise<readonly string[]> => {
  if (!(await pathExists(join(folder, keptSettingsName)))) return [];
  const [kept, present] = [join(folder, keptSettingsName), join(folder, settingsName)].map(shellWord);
  const libraries = settingIn(await readSettings(folder), librariesOffName);
  const off = libraries === null ? "" : `, and these libraries are not loaded: ${libraries}`;
  return [
    `archiving, replication and subscriptions are off in ${folder}${off}. First let archive_command write to a new place, so that two histories do not share one archive; then, to arm them: mv ${kept} ${present}, stop the server and start it (pg_ctl restart keeps what its command line was given), and take a new base backup for what is archived from its timeline on`,
  ];
};
