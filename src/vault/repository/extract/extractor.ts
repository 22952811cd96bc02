/** Restores the entries of one folder, in a worker thread. */
import { closeSync } from "node:fs";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { BlobSource } from "../blobs/blob-reader.ts";
import type { BlobTable } from "../blobs/blob-table.ts";
import type { Pause } from "../capture/entry-capture.ts";
import { readableText } from "../format/go-text.ts";
import { TreeCursor } from "../format/tree-decoder.ts";
import type { TreeNode } from "../format/tree-node.ts";
import type { Sealer } from "../seal/seal.ts";
import type { Store } from "../stores/store.ts";
import { type ExtractTask, type ExtractedPart, largeFileBytes, nodesPerTask } from "./extract-task.ts";
import { createOrderedBlobs } from "../blobs/ordered-blobs.ts";
import { SparseWriter } from "./sparse-writer.ts";
import { applyMetadata, createFile, makeFolder, makeSymlink, targetFailure } from "./target-folder.ts";

type Tally = { -readonly [Key in "files" | "sizeBytes" | "ownersLeft" | "attributesLeft" | "socketsLeft"]: number };

const isApart = (node: TreeNode): boolean => node.sizeBytes >= largeFileBytes || node.links > 1;

const damagedFile = (path: string, error: unknown): unknown =>
  error instanceof RefloatError && error.code === "vault.damaged"
    ? new RefloatError("vault.damaged", `${path} cannot be restored: ${error.message}`, {
        cause: error,
        context: { ...error.context, path },
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      })
    : error;

export const createExtractor = (store: Store, sealer: Sealer, table: BlobTable, blobs: BlobSource) => {
  const orderedBlobs = createOrderedBlobs(store, sealer, table, blobs);
  /** The last tree: the tasks of a large folder follow each other. */
  let kept: { readonly id: string; readonly blob: Buffer } | undefined;

  const slice = async (
    tree: string,
    from: number,
  ): Promise<{ readonly picked: readonly TreeNode[]; readonly next: number | undefined }> => {
    if (kept?.id !== tree) kept = { id: tree, blob: await blobs.read(tree, "tree") };
    const cursor = new TreeCursor(kept.blob, tree, from);
    const picked: TreeNode[] = [];
    while (picked.length < nodesPerTask) {
      const node = cursor.next();
      if (node === undefined) break;
      picked.push(node);
    }
    return { picked, next: cursor.position };
  };

  const writeFiles = async (
    task: ExtractTask,
    files: readonly TreeNode[],
    tally: Tally,
    pause: Pause,
  ): Promise<void> => {
    const contents = orderedBlobs(files.flatMap((file) => file.content ?? []));
    for (const file of files) {
      const act = async (): Promise<number> => {
        const fd = createFile(task.folder, file.name);
        try {
          const writer = new SparseWriter(fd);
          for (let blob = 0; blob < (file.content?.length ?? 0); blob += 1) {
            const next = await contents.next();
            if (next.done === true) throw new RefloatError("bug", "a file's blobs ended early");
            const { length } = next.value;
            writer.write(next.value);
            await pause(length, 0);
          }
          writer.finish();
          if (!applyMetadata(fd, file)) tally.ownersLeft += 1;
          return writer.position;
        } finally {
          closeSync(fd);
        }
      };
      try {
        tally.sizeBytes += await act();
      } catch (error) {
        throw targetFailure(
          task.shown,
          file.name,
          "restored",
          damagedFile(`${task.shown}/${readableText(file.name)}`, error),
        );
      }
      tally.files += 1;
      await pause(0, 1);
    }
  };

  return async (task: ExtractTask, pause: Pause): Promise<ExtractedPart> => {
    const { picked, next } =
      task.what.kind === "tree"
        ? await slice(task.what.tree, task.what.from)
        : { picked: task.what.nodes, next: undefined };
    const files: TreeNode[] = [];
    const folders: TreeNode[] = [];
    const apart: TreeNode[] = [];
    const special: TreeNode[] = [];
    const tally: Tally = { files: 0, sizeBytes: 0, ownersLeft: 0, attributesLeft: 0, socketsLeft: 0 };
    for (const node of picked) {
      if (node.unsupported.length > 0) tally.attributesLeft += 1;
      try {
        switch (node.type) {
          case "dir":
            makeFolder(task.folder, node.name);
            folders.push(node);
            break;
          case "file":
            (task.what.kind === "tree" && isApart(node) ? apart : files).push(node);
            break;
          case "symlink":
            if (!makeSymlink(task.folder, node)) tally.ownersLeft += 1;
            await pause(0, 1);
            break;
          case "dev":
          case "chardev":
          case "fifo":
            special.push(node);
            break;
          case "socket":
          case "irregular":
            tally.socketsLeft += 1;
            break;
        }
      } catch (error) {
        throw targetFailure(task.shown, node.name, "restored", error);
      }
    }
    await writeFiles(task, files, tally, pause);
    return { next, folders, apart, special, ...tally };
  };
};
