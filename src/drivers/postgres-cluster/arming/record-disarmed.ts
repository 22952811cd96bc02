/** Records what was disarmed of a restored cluster, while its own server runs for the first time and nobody else can reach it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256Of } from "../../../core/planner/plan-digest.ts";
import { maskWords } from "../../../core/init/mask-words.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import type { CapturedDetail } from "../cluster-facts.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { isObserver, keptSettingsName, listOf, passiveSettings } from "../disarm.ts";
import { readStartOptions } from "../postmaster.ts";
import { readActingObjects } from "./acting-objects.ts";
import { readConfigured } from "./configured-settings.ts";
import { type RecordedSetting, writeDisarmRecord } from "./disarm-record.ts";
import { cronSetting } from "./disarmed-items.ts";

/** Of an extension: only its library knows it. */
export const askedSettings = [
  ...Object.keys(passiveSettings).filter((name) => name !== cronSetting),
  "shared_preload_libraries",
];

/** A command line, or what a connection is made with, without its secrets. */
export const maskSecrets = (text: string): string => maskWords(text.split(" ")).join(" ");

export const isOff = (name: string, value: string): boolean =>
  name === "shared_preload_libraries"
    ? listOf(value).every(isObserver)
    : value === "" || value === (passiveSettings as Readonly<Record<string, string>>)[name];

const recorded = (name: string, value: string): RecordedSetting => ({
  shown: maskSecrets(value),
  sha256: sha256Of(value),
  isOn: !isOff(name, value),
});

export const readKept = async (folder: string): Promise<string> =>
  (await pathExists(join(folder, keptSettingsName))) ? readFile(join(folder, keptSettingsName), "utf8") : "";

/** As it is started now behind the stable name, or was when it was captured. */
const startOptionsOf = async (stable: string, detail: CapturedDetail): Promise<string> =>
  ((await pathExists(stable)) ? await readStartOptions(stable) : null)?.options ?? detail.startOptions?.options ?? "";

/** @param folder of the instance, whose server runs @param by `run 42` */
export const recordDisarmed = async (
  context: ClusterContext,
  places: { readonly stable: string; readonly folder: string },
  detail: CapturedDetail,
  by: string,
): Promise<void> => {
  const { folder, stable } = places;
  const [automatic, options] = await Promise.all([readKept(folder), startOptionsOf(stable, detail)]);
  const [configured, { subscriptions, jobs }] = await Promise.all([
    readConfigured(context, { folder, automatic, options, names: askedSettings }),
    readActingObjects(context, folder),
  ]);
  const libraries = configured.known
    ? configured.values["shared_preload_libraries"]
    : (detail.preloadedLibraries ?? "");
  const hasCron = listOf(libraries ?? "").some((name) => /(?:^|\/)pg_cron(?:\.so)?$/.test(name.replaceAll('"', "")));
  await writeDisarmRecord(folder, {
    by,
    at: context.clock.now().toISOString(),
    settings: configured.known
      ? Object.fromEntries(Object.entries(configured.values).map(([name, value]) => [name, recorded(name, value)]))
      : null,
    unknown: configured.known ? null : maskSecrets(configured.why),
    subscriptions: [...subscriptions],
    jobs: hasCron ? [...jobs] : [],
    armed: [],
    left: [],
    begun: [],
    before: null,
    back: [],
  });
};
