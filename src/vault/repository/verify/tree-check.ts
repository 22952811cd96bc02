/** Walks the trees of snapshots: is each blob that they need in a pack that is there? And which paths need one that is hurt? */
import type { BlobSource } from "../blobs/blob-reader.ts";
import type { ManyBlobs } from "../blobs/many-blobs.ts";
import { type BlobTable, createBlobTable } from "../blobs/blob-table.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { StoredSnapshot } from "../format/snapshot-file.ts";
import { readableText } from "../format/go-text.ts";
import { decodeTree } from "../format/tree-decoder.ts";
import type { Damage } from "./damage.ts";

const isDamage = (error: unknown): error is RefloatError =>
  error instanceof RefloatError && (error.code === "vault.damaged" || error.code === "path.hostile");

/** So many are known before they are read, so that those which lie together are read together. */
const treesPerBatch = 1024;

/** Every tree once, however many snapshots share it. */
export class TreeCheck {
  readonly #table: BlobTable;
  readonly #blobs: ManyBlobs;
  readonly #damage: Damage;
  /** Used as a set: trees that were seen. */
  readonly #seen = createBlobTable();

  constructor(table: BlobTable, blobs: ManyBlobs, damage: Damage) {
    this.#table = table;
    this.#blobs = blobs;
    this.#damage = damage;
  }

  async check(roots: readonly string[], signal: AbortSignal): Promise<void> {
    const waiting = roots.filter((root) => this.#seen.claim(root, "tree"));
    while (waiting.length > 0) {
      const look = async (tree: string, found: Buffer | RefloatError): Promise<void> => {
        if (found instanceof RefloatError) this.#hurt(tree, found);
        else waiting.push(...this.#subtreesOf(tree, found));
      };
      await this.#blobs(waiting.splice(-treesPerBatch), "tree", look, signal);
    }
  }

  /** @returns those that were not seen */
  #subtreesOf(tree: string, bytes: Buffer): readonly string[] {
    const subtrees: string[] = [];
    try {
      for (const node of decodeTree(bytes, tree)) {
        for (const id of node.content ?? []) {
          if (this.#table.has(id, "data")) continue;
          const draft = this.#damage.add("error", "blob", id, `the data blob ${id.slice(0, 8)} is in no pack`);
          this.#damage.hurt(draft, id, "data");
        }
        if (node.subtree !== undefined && this.#seen.claim(node.subtree, "tree")) subtrees.push(node.subtree);
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#hurt(tree, error);
    }
    return subtrees;
  }

  #hurt(tree: string, error: RefloatError): void {
    this.#damage.hurt(this.#damage.add("error", "blob", tree, error.message), tree, "tree");
  }
}

/** Names the paths that need hurt blobs, in every snapshot. Subtrees that proved sound are not walked again. */
export class DamageTracer {
  readonly #blobs: BlobSource;
  readonly #damage: Damage;
  readonly #sound = createBlobTable();

  constructor(blobs: BlobSource, damage: Damage) {
    this.#blobs = blobs;
    this.#damage = damage;
  }

  async trace(snapshot: StoredSnapshot, signal: AbortSignal): Promise<void> {
    await this.#walk(snapshot, snapshot.tree, "", signal);
  }

  /** @returns whether nothing below is hurt */
  async #walk(snapshot: StoredSnapshot, tree: string, path: string, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.#sound.has(tree, "tree")) return true;
    let sound = true;
    const affect = (id: string, type: "data" | "tree", where: string): void => {
      sound = false;
      this.#damage.affect(id, type, { snapshot: snapshot.id, path: where === "" ? "/" : where });
    };
    if (this.#damage.isHurt(tree, "tree")) affect(tree, "tree", path);
    try {
      for (const node of decodeTree(await this.#blobs.read(tree, "tree"), tree)) {
        const nodePath = `${path}/${readableText(node.name)}`;
        for (const id of node.content ?? []) if (this.#damage.isHurt(id, "data")) affect(id, "data", nodePath);
        if (node.subtree !== undefined && !(await this.#walk(snapshot, node.subtree, nodePath, signal))) sound = false;
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      return false;
    }
    if (sound) this.#sound.claim(tree, "tree");
    return sound;
  }
}
