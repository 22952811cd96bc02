/** Copies of the journal's runs in the vault: each a small snapshot, so that a run can be resumed where its journal is lost. */
import { hostname } from "node:os";
import type { Clock } from "../../core/ports/environment.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { VaultLock } from "../../core/ports/vault-locks.ts";
import type { RunCopies, RunCopy } from "../../core/ports/vault-points.ts";
import type { SnapshotInfo } from "../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { taggedValue } from "./snapshot-tags.ts";

const runTag = "refloat-run";
const runPath = "/refloat/run.jsonl";

/** Clocks of two machines may disagree; what is of a later process is newer. */
const newestFirst = (a: RunCopy, b: RunCopy): number =>
  b.epoch - a.epoch || Date.parse(b.savedAt) - Date.parse(a.savedAt);

const copyFrom = ({ id, tags, time, hostname }: SnapshotInfo): RunCopy | null => {
  const uid = taggedValue(tags, "run");
  if (!tags.includes(runTag) || uid === undefined) return null;
  return {
    id,
    uid,
    service: taggedValue(tags, "service") ?? "",
    savedAt: time,
    hostname,
    epoch: Number(taggedValue(tags, "epoch") ?? 0),
    state: taggedValue(tags, "state") ?? "",
  };
};

/** @param lockFor what a copy for this service is locked with */
export const createRunCopies = (
  repository: Repository,
  clock: Clock = systemClock,
  lockFor: (service: string) => Promise<VaultLock | null> = async () => null,
): RunCopies => {
  /** By id, all snapshots that were read before; a snapshot never changes. */
  const seen = new Map<string, RunCopy | null>();

  const look = async (): Promise<readonly RunCopy[]> => {
    for (const snapshot of await repository.snapshots({ except: new Set(seen.keys()) }))
      seen.set(snapshot.id, copyFrom(snapshot));
    return [...seen.values()].filter((copy) => copy !== null).sort(newestFirst);
  };

  const of: RunCopies["of"] = async (uid) => (await look()).filter((copy) => copy.uid === uid);

  return {
    save: async ({ service, uid, epoch, state }, content) => {
      const lock = await lockFor(service);
      const writer = await repository.beginSnapshot({
        hostname: hostname(),
        time: clock.now(),
        tags: [runTag, `service=${service}`, `run=${uid}`, `epoch=${epoch}`, `state=${state}`],
        paths: [runPath],
        ...(lock === null ? {} : { lock: { ...lock, members: [] } }),
      });
      try {
        await writer.bytes(runPath, content);
        return (await writer.commit()).id;
      } finally {
        await writer.abort();
      }
    },

    list: async (service) => {
      const byRun = new Map<string, RunCopy>();
      for (const copy of await look()) if (!byRun.has(copy.uid)) byRun.set(copy.uid, copy);
      return [...byRun.values()]
        .filter((copy) => service === undefined || copy.service === service)
        .sort((a, b) => Date.parse(b.savedAt) - Date.parse(a.savedAt));
    },

    of,
    all: look,

    read: async (uid) => {
      const [copy] = await of(uid);
      if (copy === undefined) {
        throw new RefloatError("run.unknown", `the vault has no copy of run ${uid}`, { context: { uid } });
      }
      return (await repository.openSnapshot(copy.id)).read(runPath);
    },
  };
};
