/** Capture of a cluster: the snapshot that one member sends, straight into the vault, held against its own hash. */
import type { ComponentDriver } from "../../core/ports/driver.ts";
import { toJsonObject } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { ownerIfThere } from "../../platform/folder-server/folder-owner.ts";
import { type CapturedDetail, type PositionMark, dataName, snapshotName } from "./captured-detail.ts";
import { type EtcdOptions, dataPathOf } from "./etcd-options.ts";
import { resolveTarget } from "./etcd-target.ts";
import { withEtcd } from "./gateway.ts";
import { type Member, type MemberFacts, countKeys, readMember } from "./server-facts.ts";
import { snapshotStream } from "./snapshot-stream.ts";

/** Restored as the first of them: with several it is one to begin a new cluster with. */
const firstMember = ({ members }: MemberFacts): Member => {
  const [member] = members;
  if (member !== undefined) return member;
  throw new RefloatError("source.failed", "the cluster names no member");
};

export const captureEtcd: ComponentDriver<EtcdOptions>["capture"] = async (context, sink, _, pinned) => {
  const { clock, signal } = context;
  const target = await resolveTarget(context);
  const owner = await ownerIfThere(await dataPathOf(context), signal);
  const root = `/${context.component}`;
  return withEtcd({ target, signal }, async (gateway) => {
    const server = await readMember(gateway);
    const progress = accumulateProgress(context.progress, {
      unit: "files",
      bytesTotal: server.sizeBytes,
      itemsTotal: 1,
    });
    // Counted as of a revision that is in the snapshot whatever is written meanwhile.
    const { keys, revision } = await countKeys(gateway);
    const beginAt = clock.now().toISOString();
    let endAt = beginAt;
    const began = (): void => {
      endAt = clock.now().toISOString();
      pinned?.();
    };
    const stored = await sink.stream(
      `${root}/${dataName}/${snapshotName}`,
      snapshotStream(gateway, began),
      signal,
      progress,
    );
    const after = await countKeys(gateway);
    const { name, peerUrls } = firstMember(server);
    const detail: CapturedDetail = {
      clusterId: server.clusterId,
      member: { name, peerUrls: [...peerUrls] },
      members: server.members.length,
      firstRevision: revision,
      lastRevision: after.revision,
      owner,
    };
    const mark: PositionMark = { revision, keys };
    return {
      path: root,
      facts: {
        sizeBytes: stored.sizeBytes,
        counts: { keys, members: server.members.length },
        units: { keys: { rows: keys }, snapshot: { sizeBytes: stored.sizeBytes, sha256: stored.sha256 } },
        position: { takenAt: beginAt, mark: toJsonObject(mark) },
        versions: { server: server.version },
        detail: toJsonObject(detail),
      },
      window: { beginAt, endAt },
      consistency: "snapshot",
      warnings:
        server.members.length === 1
          ? []
          : [
              `the cluster has ${server.members.length} members: a recovery makes a new cluster of one, beside it, and does not put it in the place of this one`,
            ],
    };
  });
};
