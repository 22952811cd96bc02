/** What the machine knows of a user, by getent: its own file, a directory of the network, or whatever it asks. */
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "./subprocess.ts";

export type UserEntry = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Empty where none is told. */
  readonly home: string;
  readonly shell: string;
};

const ask = async (user: string, signal: AbortSignal): Promise<UserEntry> => {
  const { stdout } = await runProgram("getent", ["passwd", user], { signal });
  const [name = "", , uid = "", gid = "", , home = "", shell = ""] = stdout.trim().split(":");
  // Number of an empty word is 0, and what is started as that user would be root's.
  if (name === "" || !/^\d+$/.test(uid) || !/^\d+$/.test(gid))
    throw new RefloatError("program.failed", `getent passwd ${user} tells no name and numbers of a user`, {
      context: { stdout },
      hint: "see that its entry is whole: getent passwd prints name, number and group, parted by colons",
    });
  return { name, uid: Number(uid), gid: Number(gid), home, shell };
};

const answers = new WeakMap<AbortSignal, Map<string, Promise<UserEntry>>>();

/**
 * Asked once under a signal, which is that of a step or of a command: a restore of a server wants to know some fifteen times, and each time is a
 * process. A user who is not there is asked for again.
 * @param user name or number
 * @throws RefloatError program.failed when there is none, or its entry is not whole
 */
export const userEntry = (user: string, signal: AbortSignal): Promise<UserEntry> => {
  const known = answers.get(signal) ?? new Map<string, Promise<UserEntry>>();
  answers.set(signal, known);
  const before = known.get(user);
  if (before !== undefined) return before;
  const answer = ask(user, signal);
  known.set(user, answer);
  answer.catch(() => known.delete(user));
  return answer;
};
