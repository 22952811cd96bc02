/** What the machine knows of a user, by getent: its own file, a directory of the network, or whatever it asks. */
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "./subprocess.ts";
import { systemClock } from "./system-clock.ts";

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

type Answer = { readonly entry: Promise<UserEntry>; readonly askedAtMs: number };

const answers = new WeakMap<AbortSignal, Map<string, Answer>>();

/** A receiver of logs lives for months under one signal, and a user may be given another number meanwhile. */
const mostAgeMs = 60_000;

/**
 * Asked once a minute under a signal, which is that of a step or of a command: a restore of a server wants to know some fifteen times, and each time is a
 * process. A user who is not there is asked for again.
 * @param user name or number @param nowMs on a clock that only goes forward
 * @throws RefloatError program.failed when there is none, or its entry is not whole
 */
export const userEntry = (user: string, signal: AbortSignal, nowMs = systemClock.monotonicMs()): Promise<UserEntry> => {
  const known = answers.get(signal) ?? new Map<string, Answer>();
  answers.set(signal, known);
  const before = known.get(user);
  if (before !== undefined && nowMs - before.askedAtMs < mostAgeMs) return before.entry;
  const answer: Answer = { entry: ask(user, signal), askedAtMs: nowMs };
  known.set(user, answer);
  answer.entry.catch(() => {
    if (known.get(user) === answer) known.delete(user);
  });
  return answer.entry;
};
