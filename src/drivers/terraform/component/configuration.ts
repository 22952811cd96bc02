/** Which files of a folder are the configuration: all but what the program makes for itself, and the state, which is captured by itself. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type WalkRules, walkTree } from "../../../platform/tree-walk.ts";

export const notConfiguration: readonly string[] = [
  ".terraform/",
  "*.tfstate",
  "*.tfstate.*",
  "terraform.tfstate.d/",
  "crash.log",
  "crash.*.log",
];

/** Below the component's own folder in the snapshot. */
export const dataName = "data";
export const stateName = "state.json";
/** In a restored folder. */
export const stateFile = "terraform.tfstate";
export const otherStateFile = "restored.tfstate";

export const configurationRules = (signal: AbortSignal): WalkRules => ({
  exclude: notConfiguration,
  oneFileSystem: false,
  signal,
  unreadable: () => undefined,
});

/** SHA-256 over names and contents: a configuration is small. */
export const configurationMark = async (folder: string, signal: AbortSignal): Promise<string> => {
  const hash = createHash("sha256");
  for await (const { path, stats } of walkTree(folder, configurationRules(signal))) {
    if (!stats.isFile()) continue;
    const content = await readFile(Buffer.concat([Buffer.from(`${folder}/`), path]));
    hash.update(`${path.length} ${content.length}\n`).update(path).update(content);
  }
  return hash.digest("hex");
};
