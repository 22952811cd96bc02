/** What passes between the main thread and the workers while a tree is restored. */
import type { TreeNode } from "../format/tree-node.ts";

export type ExtractTask = {
  readonly job: number;
  /** Open descriptor of the folder to write into; it belongs to the main thread. */
  readonly folder: number;
  /** The folder's path as a person would write it, for words about failures. */
  readonly shown: string;
  readonly what:
    /** The next nodes of a tree from a position in its blob on; 0 is the beginning. */
    | { readonly kind: "tree"; readonly tree: string; readonly from: number }
    /** All of these are written, large and linked ones as well. */
    | { readonly kind: "nodes"; readonly nodes: readonly TreeNode[] };
};

export type ExtractedPart = {
  /** Where the rest of the tree begins, for the next task; undefined if there is none. */
  readonly next: number | undefined;
  /** Made, empty, and only for us to enter; what is in them comes next, their metadata last. */
  readonly folders: readonly TreeNode[];
  /** Files that are better written by a task of their own: large ones, and those with several names. */
  readonly apart: readonly TreeNode[];
  /** Device files and fifos: Node cannot make them, so the main thread asks a program. */
  readonly special: readonly TreeNode[];
  readonly files: number;
  readonly sizeBytes: number;
  /** Entries whose owner could not be set, for want of the right. */
  readonly ownersLeft: number;
  /** Entries with extended attributes or the like, which are not restored. */
  readonly attributesLeft: number;
  readonly socketsLeft: number;
};

export const nodesPerTask = 512;
/** From this size on a file is a task of its own. */
export const largeFileBytes = 16 * 1024 * 1024;
