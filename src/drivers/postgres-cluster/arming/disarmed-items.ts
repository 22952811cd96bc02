/** The names by which a person arms what was disarmed, and the settings that each stands for. */
import { formatList } from "../../../core/text/quantity.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { librariesOffName, passiveSettings } from "../disarm.ts";
import type { DisarmRecord } from "./disarm-record.ts";

/** Those of what is off that have no catalog behind them. */
export const settingGroups = {
  archive: ["archive_mode", "archive_command", "archive_library"],
  standby: [
    "restore_command",
    "primary_conninfo",
    "primary_slot_name",
    "archive_cleanup_command",
    "recovery_end_command",
  ],
  synchronous: ["synchronous_standby_names"],
  libraries: ["shared_preload_libraries", librariesOffName],
} as const;
export type SettingGroup = keyof typeof settingGroups;

const groupNames = Object.keys(settingGroups) as readonly SettingGroup[];

/** Without these no subscription receives, and no job runs. */
export const subscriptionSetting = "max_logical_replication_workers";
export const cronSetting = "cron.launch_active_jobs";

/** Where nothing was on, what keeps it so is taken away by this. */
export const settingsItem = "settings";

export const subscriptionItem = (one: { readonly database: string; readonly name: string }): string =>
  `subscription:${one.database}/${one.name}`;
export const cronItem = (one: { readonly database: string; readonly id: string }): string =>
  `cron:${one.database}/${one.id}`;

/** A setting that says by itself whether the group is in force. */
const decisive: Readonly<Partial<Record<SettingGroup, readonly string[]>>> = { archive: ["archive_mode"] };

const groupWords = ({ settings, unknown }: DisarmRecord, group: SettingGroup): string | null => {
  if (settings === null) return `not known: ${unknown ?? "its configuration could not be read"}`;
  if (!(decisive[group] ?? settingGroups[group]).some((name) => settings[name]?.isOn === true)) return null;
  const on = settingGroups[group].filter((name) => settings[name]?.isOn === true);
  return on.map((name) => `${name} = '${settings[name]?.shown ?? ""}'`).join(", ");
};

export type RecordedItem = { readonly name: string; readonly was: string };

/** All that was disarmed, whatever has become of it. */
export const recordedItems = (record: DisarmRecord): readonly RecordedItem[] => {
  const items = [
    ...groupNames.flatMap((name) => {
      const was = groupWords(record, name);
      return was === null ? [] : [{ name, was }];
    }),
    ...record.subscriptions.map((one) => ({
      name: subscriptionItem(one),
      was: `enabled, by slot ${one.slot ?? "none"} of its publisher`,
    })),
    ...record.jobs.map((job) => ({
      name: cronItem(job),
      was: `active, ${job.name === null ? "" : `"${job.name}", `}at ${job.schedule}`,
    })),
  ];
  return items.length > 0
    ? items
    : [{ name: settingsItem, was: "nothing of it was on; postgresql.auto.conf keeps it off, whatever is configured" }];
};

/** What still waits for somebody. */
export const outstandingItems = (record: DisarmRecord): readonly RecordedItem[] =>
  recordedItems(record).filter(({ name }) => !record.armed.includes(name) && !record.left.includes(name));

/** @throws RefloatError usage */
export const requireOutstanding = (record: DisarmRecord, names: readonly string[], component: string): void => {
  const there = outstandingItems(record).map(({ name }) => name);
  const unknown = names.find((name) => !there.includes(name));
  if (unknown === undefined) return;
  throw new RefloatError("usage", `nothing called "${unknown}" is off in ${component}`, {
    state: "nothing was changed",
    hint: there.length === 0 ? "nothing is off there" : `there is ${formatList(there, 12)}`,
  });
};

/**
 * Settings that are given back when these items are armed: their own, and those of which nothing is off any more. The workers of subscriptions and
 * the launcher of jobs come back with the first one: the others are switched off one by one before that.
 */
export const settingsBack = (record: DisarmRecord, chosen: readonly string[]): readonly string[] => {
  const on = (name: string): boolean => chosen.includes(name) || record.armed.includes(name);
  const waiting = new Set<string>(
    recordedItems(record)
      .map(({ name }) => name)
      .filter((name) => !on(name)),
  );
  const kept = new Set<string>(
    groupNames.filter((group) => waiting.has(group)).flatMap((group) => [...settingGroups[group]]),
  );
  if (record.subscriptions.length > 0 && !record.subscriptions.some((one) => on(subscriptionItem(one))))
    kept.add(subscriptionSetting);
  if (record.jobs.length > 0 && !record.jobs.some((job) => on(cronItem(job)))) kept.add(cronSetting);
  const all = [...Object.keys(passiveSettings), ...settingGroups.libraries];
  return [...new Set(all)].filter((name) => !kept.has(name));
};
