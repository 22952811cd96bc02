/**
 * Makes the program of src/ into a few files: each start would otherwise look up, read and link six hundred modules. What npm
 * installs beside us stays outside. Knows nothing of packages and of who runs the result.
 */
import { join } from "node:path";
import { build } from "rolldown";

const root = join(import.meta.dirname, "..");

/** Threads are programs of their own. */
const entries = ["main", "vault-worker", "journal-worker"];

/** @param folder receives `main.js`, its threads and what they share, side by side, as src/platform/program-files.ts expects */
export const bundleProgram = async (folder: string): Promise<void> => {
  await build({
    cwd: root,
    input: Object.fromEntries(entries.map((name) => [name, join(root, `src/${name}.ts`)])),
    platform: "node",
    // Every bare name: a package of ours, or a module of Node.
    external: /^[^./]/,
    output: { dir: folder, format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
    logLevel: "warn",
  });
};
