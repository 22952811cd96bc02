/** Turns the entries of one task into nodes and keeps their counts. Runs in a worker thread. */
import { type BigIntStats, lstatSync, readlinkSync } from "node:fs";
import type { PageRules } from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { nodeTypeOf } from "../format/go-file-mode.ts";
import { readableText } from "../format/go-text.ts";
import { type TreeNode, encodeNode, encodeNodeHead } from "../format/tree-node.ts";
import { pageChecksOf } from "../../../platform/postgres/page-checks.ts";
import type { BlobSaver } from "./blob-saver.ts";
import type { FileCapture } from "./file-capture.ts";
import { type UnsteadyEntry, type WalkCounts, type WalkRules, addCounts, noCounts } from "./folder-task.ts";
import { type NodeBody, nodeOfStats } from "./node-of-stats.ts";
import type { OwnerNames } from "./owner-names.ts";
import { type ParentFolder, isUnchanged } from "./parent-folder.ts";

const itemsPerTurn = 32;
const noSubtree = "0".repeat(64);

/** Called between pieces of work with what was done since: reports, lets other tasks of the thread run, waits for the disk. */
export type Pause = (bytes: number, items: number) => Promise<void>;

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException).code ?? "");

export const unreadable = (path: Uint8Array, cause: unknown): RefloatError =>
  cause instanceof RefloatError
    ? cause
    : new RefloatError(
        "source.failed",
        `${readableText(path)} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`,
        { cause, context: { path: readableText(path) } },
      );

export type EntryRules = Pick<WalkRules, "doubtedFromNs" | "pages"> & { readonly owners: OwnerNames };

export class EntryCapture {
  readonly unsteady: UnsteadyEntry[] = [];
  readonly #owners: OwnerNames;
  readonly #saver: BlobSaver;
  readonly #files: FileCapture;
  readonly #pause: Pause;
  readonly #doubtedFromNs: bigint | null;
  readonly #pages: PageRules | null;
  readonly #counts: { -readonly [Key in keyof WalkCounts]: WalkCounts[Key] } = { ...noCounts };
  #untold = { bytes: 0, items: 0 };

  constructor({ owners, doubtedFromNs, pages }: EntryRules, saver: BlobSaver, files: FileCapture, pause: Pause) {
    this.#owners = owners;
    this.#doubtedFromNs = doubtedFromNs;
    this.#pages = pages;
    this.#saver = saver;
    this.#files = files;
    this.#pause = pause;
  }

  get counts(): WalkCounts {
    return this.#counts;
  }

  /** Of a folder: what the parent snapshot holds of it cannot be read. */
  tellReadAnew(path: Uint8Array): void {
    this.unsteady.push({ path: readableText(path), reason: "read-anew" });
  }

  /** So much was done since the last pause that others should have a turn; an entry by itself is too little work. */
  get isDue(): boolean {
    return this.#untold.items >= itemsPerTurn;
  }

  /** Pauses with what was done since the last one. */
  async tell(): Promise<void> {
    const { bytes, items } = this.#untold;
    this.#untold = { bytes: 0, items: 0 };
    await this.#pause(bytes, items);
  }

  look(path: Buffer): BigIntStats | undefined {
    try {
      return lstatSync(path, { bigint: true });
    } catch (error) {
      return this.#vanished(error, path);
    }
  }

  /**
   * A file of which nothing has changed since the parent snapshot: neither it nor its node is read.
   * @returns the node's JSON
   */
  takeSame(name: Uint8Array, stats: BigIntStats, parent: ParentFolder): string | undefined {
    if (!stats.isFile() || this.#isDoubted(stats)) return undefined;
    const same = parent.takeSame(name, encodeNodeHead(nodeOfStats(name, stats, this.#owners, { content: null })));
    if (same === undefined || !this.#hasAll(same.content)) return undefined;
    this.#countUnchanged(stats);
    return same.text;
  }

  /** A regular file whose content the vault may not have yet. */
  wouldRead(stats: BigIntStats, before: TreeNode | undefined): boolean {
    return stats.isFile() && this.#knownContent(stats, before) === undefined;
  }

  /** @returns the node's JSON; undefined if the entry vanished */
  async capture(
    path: Buffer,
    name: Uint8Array,
    stats: BigIntStats,
    before: TreeNode | undefined,
  ): Promise<string | undefined> {
    const node = (body: NodeBody): string => encodeNode(nodeOfStats(name, stats, this.#owners, body));
    const type = nodeTypeOf(Number(stats.mode));
    if (type === "file") return this.#file(path, stats, before, node);
    if (type === "dir") {
      this.#count({ directories: 1 });
      return node({ content: null, subtree: noSubtree });
    }
    let body: NodeBody = { content: null };
    try {
      if (type === "symlink") body = { ...body, linkTarget: readlinkSync(path, { encoding: "buffer" }) };
    } catch (error) {
      return this.#vanished(error, path);
    }
    this.#count({ others: 1 });
    return node(body);
  }

  async #file(
    path: Buffer,
    stats: BigIntStats,
    before: TreeNode | undefined,
    node: (body: NodeBody) => string,
  ): Promise<string | undefined> {
    const known = this.#knownContent(stats, before);
    if (known !== undefined) {
      this.#countUnchanged(stats);
      if (this.isDue) await this.tell();
      return node({ content: known });
    }
    try {
      let told = 0;
      const pause = async (bytes: number): Promise<void> => {
        told += bytes;
        await this.#pause(bytes, 0);
      };
      const check = this.#pages === null ? null : pageChecksOf(this.#pages, readableText(path));
      const file = await this.#files.capture(path, stats, pause, check);
      const { content, sizeBytes, newBytes } = file;
      if (file.changed) this.unsteady.push({ path: readableText(path), reason: "changed" });
      this.#count({ files: 1, sizeBytes, newBytes, newestNs: stats.mtimeNs });
      this.#untold.bytes += sizeBytes - told;
      this.#untold.items += 1;
      await this.tell();
      return node({ content, sizeBytes });
    } catch (error) {
      // ELOOP: a symlink took the file's place since lstat.
      return this.#vanished(error, path, "ELOOP");
    }
  }

  #knownContent(stats: BigIntStats, before: TreeNode | undefined): readonly string[] | undefined {
    if (this.#isDoubted(stats)) return undefined;
    const content = before !== undefined && isUnchanged(before, stats) ? before.content : null;
    return content !== null && this.#hasAll(content) ? content : undefined;
  }

  #isDoubted({ mtimeNs, ctimeNs }: BigIntStats): boolean {
    const from = this.#doubtedFromNs;
    return from !== null && (mtimeNs >= from || ctimeNs >= from);
  }

  #hasAll(content: readonly string[]): boolean {
    return content.every((id) => this.#saver.has(id, "data"));
  }

  #countUnchanged(stats: BigIntStats): void {
    const counts = this.#counts;
    const sizeBytes = Number(stats.size);
    counts.files += 1;
    counts.unchangedFiles += 1;
    counts.sizeBytes += sizeBytes;
    if (counts.newestNs === null || stats.mtimeNs > counts.newestNs) counts.newestNs = stats.mtimeNs;
    this.#untold.bytes += sizeBytes;
    this.#untold.items += 1;
  }

  #vanished(error: unknown, path: Buffer, ...also: readonly string[]): undefined {
    if (!hasCode(error, "ENOENT", "ENOTDIR", ...also)) throw unreadable(path, error);
    this.unsteady.push({ path: readableText(path), reason: "vanished" });
  }

  #count(counts: Partial<WalkCounts>): void {
    Object.assign(this.#counts, addCounts(this.#counts, { ...noCounts, ...counts }));
  }
}
