/**
 * Ctrl-C: the first one asks all work to stop in order, the second ends the process at once. Says each time what that means. Signals that come
 * together are one: `timeout` and a closed terminal send theirs to the process and to its group.
 */
import type { Clock } from "../core/ports/environment.ts";
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
  readonly clock: Pick<Clock, "monotonicMs">;
};

/** No person is quicker who has read what the first one said. */
const togetherMs = 500;

export const listenForInterrupts = (shell: Shell, options: InterruptionOptions): Interruption => {
  const controller = new AbortController();
  let received: InterruptSignal | null = null;
  let receivedMs = 0;
  const onSignal = (name: InterruptSignal) => (): void => {
    if (received === null) {
      received = name;
      receivedMs = options.clock.monotonicMs();
      options.note("stopping in order; again to kill (nothing is lost by that: what was begun can be resumed)");
      controller.abort(new RefloatError("interrupted", `told to stop by ${name}`));
      return;
    }
    if (options.clock.monotonicMs() - receivedMs < togetherMs) return;
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
