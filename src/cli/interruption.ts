/** Ctrl-C: the first one asks all work to stop in order, the second ends the process at once. Says each time what that means. */
import { RefloatError } from "../model/refloat-error.ts";
import { type InterruptSignal, type Shell, interruptSignals } from "./shell.ts";

export type Interruption = {
  readonly signal: AbortSignal;
  /** The signal that came, once one did. */
  readonly received: () => InterruptSignal | null;
  readonly stop: () => void;
};

export type InterruptionOptions = {
  readonly note: (text: string) => void;
  /** Exit code of a process that was killed by the second signal: what it was doing can be taken up again. */
  readonly killedExit: number;
};

export const listenForInterrupts = (shell: Shell, options: InterruptionOptions): Interruption => {
  const controller = new AbortController();
  let received: InterruptSignal | null = null;
  const onSignal = (name: InterruptSignal) => (): void => {
    if (received === null) {
      received = name;
      options.note("stopping in order; again to kill (nothing is lost by that: what was begun can be resumed)");
      controller.abort(new RefloatError("interrupted", `told to stop by ${name}`));
      return;
    }
    options.note(`killed by a second ${name}; refloat status says what is left to do`);
    shell.exitNow(options.killedExit);
  };
  const stops = listened(shell).map((name) => shell.onSignal(name, onSignal(name)));
  return {
    signal: controller.signal,
    received: () => received,
    stop: () => {
      for (const stop of stops) stop();
    },
  };
};

/** Without a terminal the hang-up belongs to whoever took it away: nohup ignores it, and listening would undo that. */
const listened = ({ isTerminal }: Shell): readonly InterruptSignal[] =>
  interruptSignals.filter((name) => name !== "SIGHUP" || isTerminal.stdin || isTerminal.stdout || isTerminal.stderr);
