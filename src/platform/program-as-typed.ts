/** By which words this program is started where it runs: installed into a folder by npm it is on nobody's PATH, and npx finds it. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const ownName = "refloat";

/** npm puts these before the PATH of what it runs; a shell has them only if somebody wants it so. */
const addedByNpm = (folder: string): boolean =>
  folder.endsWith("/node_modules/.bin") || folder.endsWith("/node-gyp-bin");

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The line that npm runs: `'refloat'` of `npx refloat`, a script of a package.json. Any other program that npm runs may start us as it likes. */
const isOurs = (line: string): boolean => new RegExp(`(?:^|[\\s'"/;&|])${ownName}(?=['"\\s;&|]|$)`).test(line);

/** @returns `refloat`, or `npx refloat` where npm has started it and a shell would not find it */
export const programAsTyped = (environment: Readonly<Record<string, string | undefined>>): string => {
  if (!isOurs(environment["npm_lifecycle_script"] ?? "")) return ownName;
  const folders = (environment["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "" && !addedByNpm(folder));
  return folders.some((folder) => isProgram(join(folder, ownName))) ? ownName : `npx ${ownName}`;
};
