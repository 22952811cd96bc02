/**
 * Where the program's own files are. From source each module stands in its folder and is TypeScript; built, all stand side by side in
 * dist/ as JavaScript. Nobody else derives a path from its own place.
 */

const isSource = import.meta.url.endsWith(".ts");

/** @param name of an entry of the program: `main`, `vault-worker`, `journal-worker`, `sqlite-program`, `freeze-keeper` */
export const programEntry = (name: string): URL =>
  new URL(isSource ? `../${name}.ts` : `./${name}.js`, import.meta.url);

/** @param path of a file of the package, from its root; beside src/ in a clone and beside dist/ in what is published */
export const packageFile = (path: string): URL => new URL(`${isSource ? "../../" : "../"}${path}`, import.meta.url);
