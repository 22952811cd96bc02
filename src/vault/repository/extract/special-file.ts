/** Device files and fifos, which Node cannot make: by the program mknod. */
import { majorOf, minorOf } from "../format/device-numbers.ts";
import { isUtf8, readableText } from "../format/go-text.ts";
import type { TreeNode } from "../format/tree-node.ts";
import { applyMetadataByPath } from "./target-folder.ts";

const kinds = { fifo: "p", dev: "b", chardev: "c" } as const;

/** @returns a word about what could not be restored, or undefined */
export const makeSpecialFile = async (
  folder: number,
  shown: string,
  node: TreeNode,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const path = `${shown}/${readableText(node.name)}`;
  const { type } = node;
  if (type !== "fifo" && type !== "dev" && type !== "chardev") return undefined;
  if (!isUtf8(node.name)) return `${path} was not restored: a ${type} whose name is not UTF-8`;
  const numbers = type === "fifo" ? [] : [String(majorOf(node.device)), String(minorOf(node.device))];
  // The child has descriptors of its own, so the folder is named through ours.
  const inside = `/proc/${process.pid}/fd/${folder}/${readableText(node.name)}`;
  // Most threads never meet one, and starting programs takes a hundred modules.
  const { runProgram } = await import("../../../platform/subprocess.ts");
  try {
    await runProgram("mknod", ["-m", "600", inside, kinds[type], ...numbers], { signal });
  } catch (error) {
    signal.throwIfAborted();
    return `${path} was not restored: ${error instanceof Error ? error.message : String(error)}`;
  }
  return applyMetadataByPath(folder, node) ? undefined : `the owner of ${path} was not set, for want of the right`;
};
