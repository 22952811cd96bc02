/** What was written to a cluster since a position: by its revisions, which each key carries. */
import { untoldWhenDown } from "../../core/components/untold-when-down.ts";
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import type { Position } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { type PositionMark, positionMarkSchema } from "./captured-detail.ts";
import { type EtcdContext, type EtcdOptions, dataPathOf } from "./etcd-options.ts";
import { databaseOf } from "./etcd-process.ts";
import { type EtcdTarget, resolveTarget } from "./etcd-target.ts";
import { withEtcd } from "./gateway.ts";
import { instanceTarget, readInstanceRecord, startInstance } from "./instance-server.ts";
import { countKeys, countWritten, mostCounted } from "./server-facts.ts";
import { findEtcdPrograms } from "./server-programs.ts";

type Place =
  | { readonly kind: "server"; readonly target: EtcdTarget }
  | { readonly kind: "stopped"; readonly folder: string };

const placeOf = async (context: EtcdContext, location: string | null): Promise<Place> => {
  const stable = await dataPathOf(context);
  if (location === null || location === stable) return { kind: "server", target: await resolveTarget(context) };
  if ((await readInstanceRecord(location)) !== null) {
    await startInstance(context, location);
    return { kind: "server", target: await instanceTarget(context, location) };
  }
  if (await pathExists(location)) return { kind: "stopped", folder: location };
  throw new RefloatError("source.failed", `${location} is not there`);
};

/** Of a folder on which no server runs: what etcd's own program reads in its database. */
const stoppedMark = async (context: EtcdContext, folder: string): Promise<PositionMark> => {
  const { restorer } = await findEtcdPrograms(context);
  const { stdout } = await runProgram(restorer, ["snapshot", "status", databaseOf(folder), "--write-out", "json"], {
    signal: context.signal,
    environment: { ETCDCTL_API: "3" },
  });
  const { revision } = JSON.parse(stdout) as { revision: number };
  // Its count is of all revisions of all keys.
  return { revision, keys: null };
};

const markAt = async (context: EtcdContext, place: Place): Promise<PositionMark> =>
  place.kind === "stopped"
    ? stoppedMark(context, place.folder)
    : withEtcd({ target: place.target, signal: context.signal }, (gateway) => countKeys(gateway));

export const stoppedPosition = async (context: EtcdContext, folder: string): Promise<Position> => ({
  takenAt: context.clock.now().toISOString(),
  mark: toJsonObject(positionMarkSchema.parse(await stoppedMark(context, folder))),
});

const readMark = (position: Position): PositionMark => positionMarkSchema.parse(position.mark);

const nothing: WriteReport = { lastWriteAt: null, units: [], gaps: [] };

const changes = (count: number): string => `${count.toLocaleString("en-US")} ${count === 1 ? "change" : "changes"}`;

const compare = async (context: EtcdContext, location: string | null, since: PositionMark): Promise<WriteReport> => {
  const place = await placeOf(context, location);
  const now = await markAt(context, place);
  if (since.revision === null || now.revision === null)
    return { ...nothing, gaps: ["what was written cannot be told: a revision is not known"] };
  const made = now.revision - since.revision;
  if (made === 0) return nothing;
  if (made < 0)
    return { ...nothing, gaps: ["it is an earlier state, or another cluster, than the one of the position"] };
  const said = `${changes(made)} ${made === 1 ? "was" : "were"} made, by its revision; which keys they are is not told`;
  if (place.kind === "stopped" || since.keys === null || now.keys === null) return { ...nothing, gaps: [said] };
  const { added, changed } = await withEtcd({ target: place.target, signal: context.signal }, (gateway) =>
    countWritten(gateway, since.revision ?? 0),
  );
  const removed = Math.max(0, since.keys + added - now.keys);
  const isMost = added + changed >= mostCounted;
  return {
    ...nothing,
    units: [{ name: "keys", added, changed, removed }],
    gaps: [isMost ? `${said}, and there are more` : said],
  };
};

export const etcdWrites: WriteLedger<EtcdOptions> = {
  position: async (context, location) => ({
    takenAt: context.clock.now().toISOString(),
    mark: toJsonObject(positionMarkSchema.parse(await markAt(context, await placeOf(context, location)))),
  }),

  writesSince: (context, { location, since }) => compare(context, location, readMark(since)),

  estimateSince: (context, since) =>
    untoldWhenDown(context.signal, async () => {
      const { revision } = readMark(since);
      const now = await markAt(context, await placeOf(context, null));
      if (revision === null || now.revision === null) return null;
      return { about: changes(Math.max(0, now.revision - revision)), lastWriteAt: null };
    }),
};
