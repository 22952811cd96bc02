/** Takes in a point of another vault: its members, then the snapshot of its manifest with what the copy knows of the root. */
import { declaredLock } from "../../core/points/point-locks.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { PointStore } from "../../core/ports/vault-points.ts";
import type { SnapshotInfo } from "../../core/ports/vault-snapshots.ts";
import { type SnapshotId, snapshotIdSchema } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { copyFacts, copyTags, isCopyTag } from "./copied-points.ts";
import { sealRoot } from "./point-roots.ts";

export const receivePoint =
  (repository: Repository): PointStore["receive"] =>
  async ({ point, root, vault, snapshots, present, now }, copying, signal, progress) => {
    const infoOf = (id: SnapshotId): SnapshotInfo => {
      const info = snapshots.get(id);
      if (info !== undefined) return info;
      throw new RefloatError("point.damaged", `point ${point.id.slice(0, 8)} has lost a snapshot that it needs`, {
        context: { point: point.id, snapshot: id },
      });
    };
    const own = infoOf(snapshotIdSchema.parse(point.id));
    const { verdict } = root;
    const tags = [
      ...own.tags.filter((tag) => !isCopyTag(tag)),
      ...copyTags({
        madeIn: copyFacts(own).madeIn ?? vault,
        seal: verdict.status === "proven" ? sealRoot(repository, verdict.root.root) : undefined,
        without:
          verdict.status === "proven"
            ? verdict.root.after.map((link) => link.point).filter((named) => !present.has(named))
            : [],
      }),
    ];
    const members = [...new Set(Object.values(point.manifest.components).map(({ snapshot }) => snapshot))];
    const lock = declaredLock(point.manifest);
    return copying.add(
      [...members.map((id) => ({ id, tags: infoOf(id).tags })), { id: own.id, tags }],
      { lock: lock !== null && lock.until > now ? lock : null },
      signal,
      progress,
    );
  };
