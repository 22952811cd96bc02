/** Whose a data folder is, and programs of its server that are run as that user. */
import { lstat } from "node:fs/promises";
import type { DriverContext } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../base-environment.ts";
import { type OtherUser, runAsUser } from "../run-as.ts";
import { runProgram } from "../subprocess.ts";
import { pathExists } from "../tree-files.ts";
import { userEntry } from "../user-entry.ts";

export type Owner = { readonly user: string; readonly uid: number; readonly gid: number };

const nameOf = async (uid: number, signal: AbortSignal): Promise<string> => {
  try {
    return (await userEntry(String(uid), signal)).name;
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

/** Null where nothing is there, or may be seen by us. */
export const ownerIfThere = async (path: string, signal: AbortSignal): Promise<Owner | null> =>
  (await lstat(path).catch(() => null)) === null ? null : ownerOf(path, signal);

type OwnerRequest = {
  /** As the live folder's it is, where there is one; null where that does not matter. */
  readonly stable: string | null;
  /** As it was when it was captured, or whoever the technology's packages make. */
  readonly user: string;
  /** Why there has to be such a user, and what makes one. */
  readonly hint: string;
  readonly nextCommand: string;
};

/** Whom restored data is to belong to: as the live one does, or as it did; without root to us. @throws RefloatError target.failed */
export const futureOwner = async (
  { workDirectory, signal }: Pick<DriverContext, "workDirectory" | "signal">,
  { stable, user, hint, nextCommand }: OwnerRequest,
): Promise<Owner> => {
  if (process.getuid?.() !== 0) return ownerOf(workDirectory, signal);
  if (stable !== null && (await pathExists(stable))) return ownerOf(stable, signal);
  try {
    const { uid, gid } = await userEntry(user, signal);
    return { user, uid, gid };
  } catch (error) {
    signal.throwIfAborted();
    throw new RefloatError(
      "target.failed",
      `there is no user ${user} on this machine, whom the data folder is to belong to`,
      { cause: error, hint, nextCommand },
    );
  }
};

/** All of a tree, links themselves and not what they name. Without root it is ours anyhow. */
export const giveTree = async (path: string, owner: Owner, signal: AbortSignal): Promise<void> => {
  if (process.getuid?.() !== 0) return;
  await runProgram("chown", ["-R", "-h", `${owner.uid}:${owner.gid}`, "--", path], { signal });
};

/** A server that is started lives on when Refloat has ended, and is not taken for something that a killed attempt has left. */
const outliving = "REFLOAT_INSTANCE";

type Asker = Pick<DriverContext, "service" | "component" | "signal" | "marker">;

/** A name, and the numbers where it may be that there is none for them. */
type NamedOwner = Pick<Owner, "user"> & Partial<Owner>;

/** One of a container, or of a machine that is no more, has no name here, and no groups but the one of the data. */
const runAsNumbers = (uid: number, gid: number): OtherUser | null => {
  if (process.getuid?.() === uid) return null;
  if (process.getuid?.() !== 0) throw new RefloatError("source.denied", `only root may run a program as uid ${uid}`);
  return {
    prefix: ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"],
    environment: { HOME: "/", USER: String(uid), LOGNAME: String(uid) },
  };
};

/**
 * Words and environment that run a program as the owner of the data.
 * @param life `own` of what lives on without us
 * @throws RefloatError source.denied when we may not
 */
export const asOwner = async (
  { service, component, signal, marker }: Asker,
  { user, uid, gid }: NamedOwner,
  life: "own" | "ours" = "own",
): Promise<{ readonly prefix: readonly string[]; readonly environment: Readonly<Record<string, string>> }> => {
  const isNameless = uid !== undefined && gid !== undefined && user === String(uid);
  const other = isNameless ? runAsNumbers(uid, gid) : await runAsUser(user, signal);
  return {
    prefix: other?.prefix ?? [],
    environment: {
      ...baseEnvironment(),
      ...other?.environment,
      // What the programs say is read by us.
      LC_ALL: "C",
      ...(life === "own" ? { [outliving]: `${service}.${component}` } : { REFLOAT_STEP: marker }),
    },
  };
};

/** Both streams of a program. @param input what it is given to read @throws RefloatError program.failed with its last words */
export const hearAsOwner = async (
  asker: Asker,
  owner: NamedOwner,
  words: readonly string[],
  input?: string,
): Promise<{ readonly stdout: string; readonly stderr: string }> => {
  const { prefix, environment } = await asOwner(asker, owner);
  const [program = "", ...args] = [...prefix, ...words];
  return runProgram(program, args, {
    signal: asker.signal,
    environment,
    cleanEnvironment: true,
    // Not a folder that the owner may not enter.
    cwd: "/",
    ...(input === undefined ? {} : { input }),
  });
};

/** What it prints. Otherwise as `hearAsOwner`. */
export const runAsOwner = async (...asked: Parameters<typeof hearAsOwner>): Promise<string> =>
  (await hearAsOwner(...asked)).stdout;
