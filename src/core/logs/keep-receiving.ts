/** Connects to a source again and again, with longer and longer waits, until told to end or until waiting mends nothing. */
import { RefloatError } from "../../model/refloat-error.ts";
import type { LogReceiving } from "../ports/logs.ts";
import type { Clock } from "../ports/environment.ts";

export type Connecting = Pick<LogReceiving, "report"> & {
  /** One connection, until it ends. @throws whatever ended it */
  readonly receive: () => Promise<void>;
  /** An error of the connection in this project's terms. */
  readonly translate: (error: unknown) => RefloatError;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

const longestWaitMs = 30_000;
/** What waiting does not mend. */
const lasting = new Set([
  "source.denied",
  "source.unsupported",
  "config.invalid",
  "secret.unavailable",
  "program.missing",
  "log.diverged",
  "bug",
]);

/** Resolves once aborted. @throws RefloatError source.denied, ... */
export const keepReceiving = async ({ receive, translate, report, clock, signal }: Connecting): Promise<void> => {
  for (let waitMs = 500; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    const beganMs = clock.monotonicMs();
    try {
      await receive();
    } catch (error) {
      if (signal.aborted) return;
      const told = error instanceof RefloatError ? error : translate(error);
      if (lasting.has(told.code)) throw told;
      report({ type: "waiting", for: "source", reason: told.message });
    }
    if (signal.aborted) return;
    if (clock.monotonicMs() - beganMs > longestWaitMs) waitMs = 500;
    await clock.sleep(waitMs, signal).catch(() => undefined);
    if (signal.aborted) return;
  }
};
