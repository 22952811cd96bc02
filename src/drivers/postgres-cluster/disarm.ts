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

/** Libraries that start work by themselves. */
const schedulers: ReadonlySet<string> = new Set([
  "pg_cron",
  "pg_partman_bgw",
  "pglogical",
  "pg_timetable",
  "repmgr",
  "bdr",
]);

/** @returns null when there is none among them, or when it is not known */
const withoutSchedulers = (preloaded: string | null): string | null => {
  const names = (preloaded ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const kept = names.filter((name) => !schedulers.has(name.replaceAll('"', "")));
  return kept.length === names.length ? null : kept.join(", ");
};

/** Settings by which a cluster would act on others, or wait for them. */
export const disarmedSettings = ({
  preloadedLibraries,
}: Pick<CapturedDetail, "preloadedLibraries">): Readonly<Record<string, string>> => {
  const libraries = withoutSchedulers(preloadedLibraries);
  return {
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
    ...(libraries === null ? {} : { shared_preload_libraries: libraries }),
  };
};

/** Signs of a standby or of a recovery that was under way: this one is none of them. */
const signals = ["standby.signal", "recovery.signal"] as const;

/** Before the server is started for the first time. @param folder of the restored cluster */
export const disarm = async (folder: string, detail: CapturedDetail, run: number): Promise<void> => {
  for (const name of signals) await rm(join(folder, name), { force: true });
  const path = join(folder, settingsName);
  if (await pathExists(path)) await copyFile(path, join(folder, keptSettingsName));
  else await writeFile(join(folder, keptSettingsName), "");
  const own = await readFile(join(folder, keptSettingsName), "utf8");
  const lines = Object.entries(disarmedSettings(detail)).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  );
  const why = `# Refloat, run ${run}: off until ${keptSettingsName} is put back in place of this file and the server is restarted.\n`;
  await writeFile(path, `${own}${own === "" || own.endsWith("\n") ? "" : "\n"}${why}${lines.join("")}`);
};

/** What a person is told after the switch, and how to arm the cluster again. */
export const describeDisarmed = async (folder: string): Promise<readonly string[]> => {
  if (!(await pathExists(join(folder, keptSettingsName)))) return [];
  const [kept, present] = [join(folder, keptSettingsName), join(folder, settingsName)].map(shellWord);
  return [
    `archiving, replication, subscriptions and known schedulers are off in ${folder}; to arm them: mv ${kept} ${present}, then restart the server and take a new base backup for what is archived from its timeline on`,
  ];
};
