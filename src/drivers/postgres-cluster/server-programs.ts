/**
 * The programs of a server (postgres, pg_ctl, pg_controldata) of one major version, run as the user that owns the data: PostgreSQL refuses
 * root, and a data folder that is not its owner's.
 */
import { access, constants, lstat } from "node:fs/promises";
import { join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { runAsUser } from "../../platform/run-as.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { type ClusterContext, programsOf } from "./cluster-options.ts";

const needed = ["postgres", "pg_ctl", "pg_controldata"] as const;

const debianFolder = (major: number): string => `/usr/lib/postgresql/${major}/bin`;

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
  const { stdout } = await runProgram(join(folder, "postgres"), ["--version"], { signal: context.signal });
  const found = Number(/(\d+)(?:\.|devel|beta|rc|\s|$)/.exec(stdout)?.[1]);
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

export type Owner = { readonly user: string; readonly uid: number; readonly gid: number };

const nameOf = async (uid: number, signal: AbortSignal): Promise<string> => {
  try {
    return (await runProgram("getent", ["passwd", String(uid)], { signal })).stdout.split(":")[0] ?? String(uid);
  } catch {
    signal.throwIfAborted();
    return String(uid);
  }
};

/** Whose a path is. */
export const ownerOf = async (path: string, signal: AbortSignal): Promise<Owner> => {
  const { uid, gid } = await lstat(path);
  return { user: await nameOf(uid, signal), uid, gid };
};

/** A server that is started lives on when Refloat has ended, and is not taken for something that a killed attempt has left. */
const outliving = "REFLOAT_INSTANCE";

/**
 * Words and environment that run a program as the owner of the data.
 * @param life `own` of what lives on without us
 * @throws RefloatError source.denied when we may not
 */
export const asOwner = async (
  context: Pick<ClusterContext, "service" | "component" | "signal" | "marker">,
  owner: Pick<Owner, "user">,
  life: "own" | "ours" = "own",
): Promise<{ readonly prefix: readonly string[]; readonly environment: Readonly<Record<string, string>> }> => {
  const other = await runAsUser(owner.user, context.signal);
  return {
    prefix: other?.prefix ?? [],
    environment: {
      ...baseEnvironment(),
      ...other?.environment,
      // What the programs say is read by us.
      LC_ALL: "C",
      ...(life === "own"
        ? { [outliving]: `${context.service}.${context.component}` }
        : { REFLOAT_STEP: context.marker }),
    },
  };
};

/** @throws RefloatError program.failed with its last words */
export const runAsOwner = async (
  context: ClusterContext,
  owner: Pick<Owner, "user">,
  words: readonly string[],
): Promise<string> => {
  const { prefix, environment } = await asOwner(context, owner);
  const [program = "", ...args] = [...prefix, ...words];
  const { stdout } = await runProgram(program, args, {
    signal: context.signal,
    environment,
    cleanEnvironment: true,
    // Not a folder that the owner may not enter.
    cwd: "/",
  });
  return stdout;
};
