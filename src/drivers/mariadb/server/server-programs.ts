/** mariadbd and mariadb-backup: where they are, and that they are of the series that wrote the files. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { baseEnvironment } from "../../../platform/base-environment.ts";
import { runProgram } from "../../../platform/subprocess.ts";
import { seriesOf } from "../client-programs.ts";
import { type ServerContext, programsOf } from "./server-options.ts";

const packages = {
  "mariadb-backup": "mariadb-backup",
  mariadbd: "mariadb-server",
} as const;
type ServerProgram = keyof typeof packages;

/** Where a server's program lies is often on nobody's path. */
const furtherFolders = ["/usr/sbin", "/usr/local/sbin"];

const lookFor = async (folders: readonly string[], program: string): Promise<string | null> => {
  for (const folder of folders) {
    const path = join(folder, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== "" && isThere) return path;
  }
  return null;
};

export type FoundProgram = { readonly path: string; readonly version: string };

/** `mariadb-backup based on MariaDB server 10.11.19-MariaDB ...`, `mariadbd  Ver 10.11.19-MariaDB-... for ...`. */
const versionIn = (said: string): string | null => /(\d+\.\d+\.\d+)-MariaDB/.exec(said)?.[1] ?? null;

/**
 * Data files belong to a series (10.11): an older program does not know them, and a newer one would change them for good.
 * @param wrote version of the server whose files they are
 * @throws RefloatError program.missing naming the package, program.version
 */
export const findServerProgram = async (
  context: ServerContext,
  program: ServerProgram,
  wrote: string,
): Promise<FoundProgram> => {
  const declared = await programsOf(context);
  const folders =
    declared === null ? [...(baseEnvironment()["PATH"] ?? "").split(delimiter), ...furtherFolders] : [declared];
  const path = await lookFor(folders, program);
  if (path === null)
    throw new RefloatError(
      "program.missing",
      declared === null
        ? `the program ${program} is not installed or not on the path`
        : `${join(declared, program)} is not there`,
      { hint: "programs: names a folder elsewhere", nextCommand: `apt-get install ${packages[program]}` },
    );
  const { stdout, stderr } = await runProgram(path, ["--no-defaults", "--version"], { signal: context.signal });
  const version = versionIn(stdout + stderr);
  if (version !== null && seriesOf(version) === seriesOf(wrote)) return { path, version };
  const series = wrote.split(".").slice(0, 2).join(".");
  throw new RefloatError(
    "program.version",
    version === null
      ? `${path} is not MariaDB's own`
      : `${program} here is of MariaDB ${version}, and the files are of ${wrote}`,
    {
      hint: `a server's files are read by programs of their own series: install ${packages[program]} of ${series}, or name its folder by programs:`,
    },
  );
};
