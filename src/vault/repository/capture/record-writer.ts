/**
 * Records: snapshots of nothing that carry a text. All share the tree without entries, so one more costs one small file, where a
 * snapshot with a file in it costs two packs, an index and a snapshot.
 */
import { hash } from "node:crypto";
import type { VaultLock } from "../../../core/ports/vault-locks.ts";
import type { SnapshotInfo } from "../../../core/ports/vault-snapshots.ts";
import { snapshotIdSchema } from "../../../model/identifiers.ts";
import { recordMembers, writeSnapshot } from "../format/snapshot-file.ts";
import { encodeTree } from "../format/tree-node.ts";
import type { RepositoryContext } from "../repository-context.ts";
import type { Store } from "../stores/store.ts";

export type RecordRequest = {
  readonly hostname: string;
  readonly time: Date;
  readonly tags: readonly string[];
  readonly path: string;
  readonly text: string;
  readonly lock?: VaultLock;
};

export type RecordPlace = {
  /** A record is in the vault already, so that its tree is too; spares reading the index. */
  readonly isTreeKept: boolean;
  /** As for any other snapshot. */
  readonly loadIndex: () => Promise<void>;
  /** Where its file is written to. @param tree what it rests on */
  readonly target: (tree: string) => Promise<Pick<Store, "write">>;
};

export const writeRecord = async (
  context: RepositoryContext,
  { hostname, time, tags, path, text }: RecordRequest,
  { isTreeKept, loadIndex, target }: RecordPlace,
): Promise<SnapshotInfo> => {
  const { sealer, config, owner } = context;
  const tree = encodeTree([]);
  const treeId = hash("sha256", tree, "hex");
  if (!isTreeKept) {
    await loadIndex();
    await keepTree(context, treeId, tree);
  }
  const members = recordMembers(tags, text);
  const summary = { backupStart: time, backupEnd: time, totalFiles: 0, totalBytes: 0, newBytes: 0 };
  const { username, uid, gid } = owner;
  const snapshot = { time, hostname, username, uid, gid, paths: [path], ...members, summary };
  const id = await writeSnapshot(await target(treeId), sealer, config.version, {
    ...snapshot,
    parent: undefined,
    tree: treeId,
    programVersion: "refloat",
  });
  return {
    id: snapshotIdSchema.parse(id),
    time: time.toISOString(),
    hostname,
    paths: [path],
    tags: members.tags,
    newBytes: 0,
    record: text,
    tree: treeId,
  };
};

const keepTree = async ({ index, table, pool }: RepositoryContext, id: string, tree: Uint8Array): Promise<void> => {
  if (table.locate(id, "tree").length > 0) return;
  const thread = pool.leastLoaded();
  await thread.call("save-blob", { type: "tree", bytes: tree });
  // Another thread may have claimed the same tree for a capture that is under way.
  await Promise.all(pool.started.map((each) => each.call("flush", null)));
  await index.flush();
};
