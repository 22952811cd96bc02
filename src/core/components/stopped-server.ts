/** A server that was killed and whose data are there: before any recovery comes to start it again, which takes seconds and loses least. */
import { RefloatError } from "../../model/refloat-error.ts";
import type { ComponentDriver, DriverContext, StoppedServer } from "../ports/driver.ts";
import { formatList } from "../text/quantity.ts";
import { answerMs } from "./ask-in-time.ts";
import { nullWhenDown } from "./null-when-down.ts";

/**
 * Null where the server runs, where its data are not there, and where that cannot be told. A server that is not seen among the processes here, such as
 * that of another user, and answers is none that is stopped.
 */
export const findStopped = async (driver: ComponentDriver, context: DriverContext): Promise<StoppedServer | null> => {
  const stopped = await nullWhenDown(context.signal, async () => (await driver.switching.stopped?.(context)) ?? null);
  if (stopped === null || driver.reach === undefined) return stopped;
  const limit = AbortSignal.timeout(answerMs);
  try {
    await driver.reach({ ...context, signal: AbortSignal.any([context.signal, limit]) });
    return null;
  } catch (error) {
    context.signal.throwIfAborted();
    // Who takes a connection and says nothing runs, if only where it is not seen from here.
    if (limit.aborted) return null;
    if (!(error instanceof RefloatError)) throw error;
    return error.code === "source.unreachable" ? stopped : null;
  }
};

/** `its server does not run, and its data are there: start it again first (systemctl start mariadb); nothing that it had committed is lost` */
export const startAgainWords = ({ start, loses }: StoppedServer): string =>
  `its server does not run, and its data are there: start it again first${start === null ? "" : ` (${start})`}; ${
    loses.length === 0 ? "nothing that it had committed is lost" : `lost is only ${formatList(loses)}`
  }`;
