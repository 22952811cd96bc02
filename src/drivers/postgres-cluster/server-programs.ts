/** The programs of a server (postgres, pg_ctl, pg_controldata) of one major version. */
import { access, constants, stat } from "node:fs/promises";
import { join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { type ClusterContext, programsOf } from "./cluster-options.ts";

const needed = ["postgres", "pg_ctl", "pg_controldata"] as const;

const debianFolder = (major: number): string => `/usr/lib/postgresql/${major}/bin`;

/** By the file that the program is: a restore asks some ten times, and each time is a process. One that an upgrade has replaced is another file. */
const versions = new Map<string, string>();

const versionOf = async (program: string, signal: AbortSignal): Promise<string> => {
  const { dev, ino, size, mtimeMs, ctimeMs } = await stat(program);
  const file = [program, dev, ino, size, mtimeMs, ctimeMs].join(" ");
  const known = versions.get(file);
  if (known !== undefined) return known;
  const { stdout } = await runProgram(program, ["--version"], { signal });
  versions.set(file, stdout);
  return stdout;
};

/** @returns the folder @throws RefloatError program.missing naming the package, program.version when a declared folder has another version */
export const findServerPrograms = async (context: ClusterContext, major: number): Promise<string> => {
  const declared = await programsOf(context);
  const folder = declared ?? debianFolder(major);
  for (const program of needed) {
    if (
      await access(join(folder, program), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      continue;
    throw new RefloatError(
      "program.missing",
      `${join(folder, program)}, which a cluster of PostgreSQL ${major} needs, is not there`,
      {
        hint: "a cluster runs only with the major version that wrote it; programs: names a folder elsewhere",
        nextCommand: `apt-get install postgresql-${major}`,
      },
    );
  }
  const said = await versionOf(join(folder, "postgres"), context.signal);
  const found = Number(/(\d+)(?:\.|devel|beta|rc|\s|$)/.exec(said)?.[1]);
  if (found === major) return folder;
  throw new RefloatError(
    "program.version",
    `the programs in ${folder} are of PostgreSQL ${found}, and the cluster is of ${major}`,
    {
      hint: "a cluster runs only with the major version that wrote it",
      nextCommand: `apt-get install postgresql-${major}`,
    },
  );
};
