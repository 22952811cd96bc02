/** Copies of the journal's runs in the vault: each a small snapshot, so that a run can be resumed where its journal is lost. */
import { hostname } from "node:os";
import type { Clock } from "../../core/ports/environment.ts";
import type { Repository, RunCopies, SnapshotInfo } from "../../core/ports/vault.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { taggedValue } from "./snapshot-tags.ts";

const runTag = "refloat-run";
const runPath = "/refloat/run.jsonl";

export const createRunCopies = (repository: Repository, clock: Clock = systemClock): RunCopies => {
  /** The newest copy of each run, newest first. */
  const newest = async (): Promise<readonly SnapshotInfo[]> => {
    const copies = (await repository.snapshots()).filter(({ tags }) => tags.includes(runTag));
    const byRun = new Map<string, SnapshotInfo>();
    for (const copy of copies.sort((a, b) => Date.parse(b.time) - Date.parse(a.time))) {
      const uid = taggedValue(copy.tags, "run");
      if (uid !== undefined && !byRun.has(uid)) byRun.set(uid, copy);
    }
    return [...byRun.values()];
  };

  return {
    save: async (service, uid, content) => {
      const writer = await repository.beginSnapshot({
        hostname: hostname(),
        time: clock.now(),
        tags: [runTag, `service=${service}`, `run=${uid}`],
        paths: [runPath],
      });
      try {
        await writer.bytes(runPath, content);
        await writer.commit();
      } finally {
        await writer.abort();
      }
    },

    list: async (service) =>
      (await newest())
        .map(({ tags, time }) => ({
          uid: taggedValue(tags, "run") ?? "",
          service: taggedValue(tags, "service") ?? "",
          savedAt: time,
        }))
        .filter((copy) => service === undefined || copy.service === service),

    read: async (uid) => {
      const copy = (await newest()).find(({ tags }) => taggedValue(tags, "run") === uid);
      if (copy === undefined) {
        throw new RefloatError("run.unknown", `the vault has no copy of run ${uid}`, { context: { uid } });
      }
      return (await repository.openSnapshot(copy.id)).read(runPath);
    },
  };
};
