/** What arming a cluster would do, and what has to stay off, and why. Changes nothing. */
import { sha256Of } from "../../../core/planner/plan-digest.ts";
import type { ArmRequest } from "../../../core/ports/arming.ts";
import type { ArmProposal } from "../../../model/arming.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { resolveTarget } from "../../../platform/postgres/connection-target.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { withCluster } from "../locations.ts";
import { findPostmaster, readStartOptions } from "../postmaster.ts";
import { clusterStart } from "../start-record.ts";
import { readConfigured } from "./configured-settings.ts";
import { type DisarmRecord, allJobs } from "./disarm-record.ts";
import {
  type RecordedItem,
  cronItem,
  outstandingItems,
  requireOutstanding,
  settingsItem,
  subscriptionItem,
} from "./disarmed-items.ts";
import { askedSettings, maskSecrets, readKept } from "./record-disarmed.ts";

/** With what the server behind the stable name is started. */
export const startOptionsOf = async (stable: string): Promise<string> =>
  (
    ((await findPostmaster(stable)) === null ? await clusterStart.recall(stable) : null) ??
    (await readStartOptions(stable))
  )?.options ?? "";

/** What is configured apart from what we have set. */
export const configuredAt = async (context: ClusterContext, stable: string) =>
  readConfigured(context, {
    folder: stable,
    automatic: await readKept(stable),
    options: await startOptionsOf(stable),
    names: askedSettings,
  });

/** @throws RefloatError arming.refused */
export const refuseActingSide = async (outgoing: string | null): Promise<void> => {
  if (outgoing === null || !(await pathExists(outgoing))) return;
  const running = await findPostmaster(outgoing);
  if (running === null) return;
  throw new RefloatError(
    "arming.refused",
    `the old side still runs: process ${running.pid} serves ${outgoing}, and archives, receives and runs its jobs as it did`,
    { state: "nothing was changed", hint: "stop it, or drop it by refloat commit" },
  );
};

export type ArchiveChoice =
  | { readonly kind: "command"; readonly command: string }
  /** The configuration has another one than the old side had. */
  | { readonly kind: "configured"; readonly command: string }
  | { readonly kind: "none"; readonly why: string };

/** @throws RefloatError arming.refused for the place of the old history */
export const chooseArchive = async (
  context: ClusterContext,
  stable: string,
  record: DisarmRecord,
  command: string | null,
): Promise<ArchiveChoice> => {
  const before = record.settings?.["archive_command"];
  if (command !== null) {
    if (command.trim() === "")
      throw new RefloatError("usage", "--archive-command is empty", { hint: "what is not named stays off" });
    if (before?.sha256 !== sha256Of(command)) return { kind: "command", command };
    throw new RefloatError(
      "arming.refused",
      `this is the archive_command of the old history, and would write the log of two histories into one place: ${before.shown}`,
      {
        state: "nothing was changed",
        hint: "give one with a new place in it: another folder, bucket prefix or stanza",
      },
    );
  }
  const configured = await configuredAt(context, stable);
  const now = configured.known ? (configured.values["archive_command"] ?? "") : "";
  if (before !== undefined && now !== "" && sha256Of(now) !== before.sha256)
    return { kind: "configured", command: now };
  return {
    kind: "none",
    why: "its place has the log of the old history, with the names that this one gives too: --archive-command 'COMMAND' names a new one",
  };
};

/** `FIRST 1 (a, b)`, `ANY 2 (*)`, `a, b`. */
export const standbyNames = (text: string): readonly string[] =>
  (/\((?<names>[^)]*)\)/.exec(text)?.groups?.["names"] ?? text)
    .split(",")
    .map((name) => name.trim().replaceAll('"', ""))
    .filter((name) => name !== "");

type Asked = { readonly databases: readonly string[]; readonly followers: readonly string[] };

/** Null while it does not answer. */
export const askServer = async (context: ClusterContext, stable: string): Promise<Asked | null> => {
  if ((await findPostmaster(stable)) === null) return null;
  return withCluster(context, await resolveTarget(context), "target", async (session) => ({
    databases: (await session.query<{ name: string }>("select datname as name from pg_database")).map(
      ({ name }) => name,
    ),
    followers: (
      await session.query<{ name: string | null }>("select application_name as name from pg_stat_replication")
    ).flatMap(({ name }) => name ?? []),
  }));
};

type Decided = { readonly does: string } | { readonly why: string };

const onceMore = "as its configuration says";

const decide = async (
  context: ClusterContext,
  stable: string,
  record: DisarmRecord,
  item: RecordedItem,
  request: ArmRequest,
  asked: Asked | null,
): Promise<Decided> => {
  const { name } = item;
  const subscription = record.subscriptions.find((one) => subscriptionItem(one) === name);
  const job = record.jobs.find((one) => cronItem(one) === name);
  const gone = subscription?.database ?? job?.database;
  if (gone !== undefined && asked?.databases.includes(gone) === false)
    return { why: `there is no database ${gone} any more` };
  if (subscription !== undefined) return { does: "receives again" };
  if (job !== undefined)
    return request.items.includes("libraries") || !outstandingItems(record).some((one) => one.name === "libraries")
      ? { does: "runs again" }
      : { why: "pg_cron is not loaded: arm libraries with it" };
  switch (name) {
    case "archive": {
      const choice = await chooseArchive(context, stable, record, request.archiveCommand);
      return choice.kind === "none"
        ? { why: choice.why }
        : {
            does: `archives by ${maskSecrets(choice.command)}${choice.kind === "configured" ? ", which is configured since" : ""}`,
          };
    }
    case "synchronous": {
      const names = standbyNames(record.settings?.["synchronous_standby_names"]?.shown ?? "");
      const follows = (asked?.followers ?? []).some((one) => names.includes(one) || names.includes("*"));
      return follows
        ? { does: "commits wait for standbys again" }
        : { why: "no standby of these names follows, and each commit would wait for one: build it first" };
    }
    case "standby":
      return { does: `set again, ${onceMore}; a server that is no standby acts by none of them` };
    case "libraries": {
      const hidden = record.jobs.filter(({ id }) => id === allJobs).map(cronItem);
      if (hidden.some((one) => !request.items.includes(one) && !record.armed.includes(one)))
        return {
          why: `with pg_cron come all of its jobs, which could not be told apart: arm ${hidden.join(", ")} with it`,
        };
      return { does: `loaded again, ${onceMore}` };
    }
    case settingsItem:
      return { does: "postgresql.auto.conf keeps nothing off any more" };
    default:
      return { why: "this version does not know it" };
  }
};

const warningsOf = (record: DisarmRecord, names: readonly string[]): readonly string[] => [
  ...(record.subscriptions.some((one) => names.includes(subscriptionItem(one)))
    ? [
        "a subscription goes on from where its publisher stands: what that has sent to the old side after the point comes no more. Compare, or make it anew with copy_data",
      ]
    : []),
  ...(names.includes("archive")
    ? ["the new archive begins now: take a new base backup with whatever archives there"]
    : []),
];

export const proposeArming = async (
  context: ClusterContext,
  stable: string,
  record: DisarmRecord,
  request: ArmRequest,
): Promise<ArmProposal> => {
  requireOutstanding(record, request.items, context.component);
  await refuseActingSide(request.outgoing);
  const asked = await askServer(context, stable);
  const items: ArmProposal["items"] = [];
  const stays: ArmProposal["stays"] = [];
  for (const item of outstandingItems(record)) {
    if (!request.items.includes(item.name)) continue;
    const decided = await decide(context, stable, record, item, request, asked);
    if ("does" in decided) items.push({ ...item, ...decided });
    else stays.push({ ...item, ...decided });
  }
  const names = items.map(({ name }) => name);
  const server = `the server of ${stable}`;
  return {
    items,
    stays,
    takes:
      items.length === 0
        ? []
        : [
            asked === null
              ? `${server}, which does not run, is started`
              : `${server} is stopped and started: its sessions end`,
          ],
    warnings: [...warningsOf(record, names)],
  };
};
