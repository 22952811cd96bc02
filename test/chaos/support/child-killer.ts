/** Runs the program and kills what it has started: by SIGKILL, from outside, as the kernel does when memory runs out. Says what was hit. */
import { signalProcess } from "../../../src/platform/process-table.ts";
import type { RefloatProgram } from "../../e2e/support/refloat-program.ts";
import { ProcessWatch, type Seen } from "./process-watch.ts";

export type Moment = {
  /** The journal's newest transition that the program has told. */
  readonly sequence: number;
  /** How many were killed in this process so far. */
  readonly kills: number;
};

export type Aim = {
  /** Is this one to be killed as soon as it is seen? */
  readonly atSight?: (seen: Seen, moment: Moment) => boolean;
  /** So long after the start of the program, one of those that run then is killed; the next that begins where none does. */
  readonly atMs?: readonly number[];
  /** Which of so many? */
  readonly choose?: (count: number) => number;
};

export const nothing: Aim = {};

export type KilledAct = {
  readonly exit: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly hits: readonly Seen[];
  /** What the program has started and has not ended. */
  readonly left: () => readonly Seen[];
};

const hungMs = 240_000;

/** @throws when the program does not come to an end by itself */
export const actAndKill = async (
  refloat: RefloatProgram,
  args: readonly string[],
  { atSight, atMs = [], choose = () => 0 }: Aim,
): Promise<KilledAct> => {
  const child = refloat.spawn(args);
  const hits: Seen[] = [];
  let sequence = 0;
  let owed = 0;
  const kill = (seen: Seen): void => {
    if (signalProcess(seen, "SIGKILL")) hits.push(seen);
  };
  const watch = ProcessWatch.begin(child.pid ?? 0, (seen) => {
    if (owed === 0 && atSight?.(seen, { sequence, kills: hits.length }) !== true) return;
    owed = Math.max(0, owed - 1);
    kill(seen);
  });
  child.stdout?.on("data", (text: Buffer | string) => {
    for (const [, told] of String(text).matchAll(/"sequence":(\d+)/g)) sequence = Math.max(sequence, Number(told));
  });
  const timers = atMs.map((ms) =>
    setTimeout(() => {
      const { running } = watch;
      const one = running[choose(running.length)];
      if (one === undefined) owed += 1;
      else kill(one);
    }, ms),
  );
  const hung = setTimeout(() => child.kill("SIGKILL"), hungMs);
  const ended = await child;
  for (const timer of [...timers, hung]) clearTimeout(timer);
  watch.end();
  const [exit, signal] = [ended.exitCode ?? null, ended.signal ?? null];
  const { stdout, stderr } = ended;
  if (signal === "SIGKILL")
    throw new Error(
      `refloat ${args.join(" ")} hangs, after ${hits.map(({ step, program }) => `${step} ${program}`).join(", ")} was killed\n${stdout}\n${stderr}`,
    );
  return { exit, signal, stdout, stderr, hits, left: () => watch.running };
};
