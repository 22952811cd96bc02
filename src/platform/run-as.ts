/** Running a program as another user of the machine, with that user's groups and home, as a login would. */
import { userInfo } from "node:os";
import { RefloatError } from "../model/refloat-error.ts";
import { type UserEntry, userEntry } from "./user-entry.ts";

export type OtherUser = {
  /** Words to put before the program. */
  readonly prefix: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

/**
 * @returns null when it is the user that runs us already
 * @throws RefloatError source.denied when we may not change users, config.invalid when there is no such user
 */
export const runAsUser = async (user: string, signal: AbortSignal): Promise<OtherUser | null> => {
  const { username } = userInfo();
  if (user === username) return null;
  if (process.getuid?.() !== 0)
    throw new RefloatError("source.denied", `only root may run a program as ${user}; Refloat runs as ${username}`);
  let entry: UserEntry;
  try {
    entry = await userEntry(user, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new RefloatError("config.invalid", `there is no user ${user} on this machine`, { cause: error });
  }
  const { uid, gid, home, shell } = entry;
  return {
    prefix: ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--"],
    environment: { USER: user, LOGNAME: user, HOME: home, SHELL: shell === "" ? "/bin/sh" : shell },
  };
};
