/**
 * Makes the program of src/ and most libraries that it uses into a few files: each start would otherwise look up, read and link twelve
 * hundred modules. The licences of what is inside are written beside them. Knows nothing of packages and of who runs the result.
 */
import { type Dirent, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "rolldown";

const root = join(import.meta.dirname, "..");

/** Threads are programs of their own. */
const entries = ["main", "vault-worker", "journal-worker", "sqlite-program", "freeze-keeper"];

/** Modules of Node, and libraries with native parts, threads of their own, or parts that are loaded by a name only known when they run. */
const external = /^node:|^(?:@aws-sdk\/.*|pg|pg-copy-streams|pino|ssh2)$/;

/** The innermost package that a module belongs to: the last name after a node_modules folder. */
const packageOf = /^(.*\/node_modules\/(?:@[^/]+\/[^/]+|[^/]+))\//;

const isLicence = ({ name }: Dirent): boolean => /^(?:licen[cs]e|copying|notice)/i.test(name);

/** @param modules paths of what the bundle holds @throws when a package comes without its licence */
const licencesOf = (modules: readonly string[]): string => {
  const folders = new Set(modules.flatMap((module) => packageOf.exec(module)?.[1] ?? []));
  return [...folders]
    .toSorted()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        readonly name: string;
        readonly version: string;
        readonly license?: string;
      };
      const texts = readdirSync(folder, { withFileTypes: true }).filter(isLicence);
      if (texts.length === 0 && license === undefined) throw new Error(`${name} comes without a licence`);
      const body = texts.map((file) => readFileSync(join(folder, file.name), "utf8").trim()).join("\n\n");
      return `${name} ${version} (${license ?? "see below"})\n\n${body}\n`;
    })
    .join(`\n${"-".repeat(72)}\n\n`);
};

/**
 * @param folder receives them and what they share, side by side, as src/platform/program-files.ts expects @param programs name to source file
 * @returns paths of the modules that are inside
 */
export const bundle = async (
  folder: string,
  programs: Readonly<Record<string, string>>,
): Promise<readonly string[]> => {
  const { output } = await build({
    cwd: root,
    input: { ...programs },
    platform: "node",
    external,
    output: { dir: folder, format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
    logLevel: "warn",
  });
  return output.flatMap((chunk) => (chunk.type === "chunk" ? Object.keys(chunk.modules) : []));
};

/** Where the program begins, and each of its threads, by name. */
export const programSource = (name: string): string => join(root, `src/${name}.ts`);

/** @param folder receives `main.js`, its threads and what they share, and `licences.txt` */
export const bundleProgram = async (folder: string): Promise<void> => {
  const modules = await bundle(folder, Object.fromEntries(entries.map((name) => [name, programSource(name)])));
  writeFileSync(join(folder, "licences.txt"), licencesOf(modules));
};
