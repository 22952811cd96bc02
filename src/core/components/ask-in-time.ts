import { RefloatError } from "../../model/refloat-error.ts";
import type { DriverContext } from "../ports/driver.ts";
import type { ComponentAccess } from "./component-access.ts";

export const answerMs = 10_000;

/**
 * For those who only look: a server that is stopped in the middle takes a connection and says nothing on it, and whoever waits for that sees nothing
 * of all the others.
 * @throws RefloatError source.unreachable when its time is over; whatever `ask` throws before; the signal's reason
 */
export const askInTime = async <Answer>(
  access: ComponentAccess,
  component: string,
  signal: AbortSignal,
  ask: (context: DriverContext) => Promise<Answer>,
): Promise<Answer> => {
  const limit = AbortSignal.timeout(answerMs);
  const context = { ...(await access.context(component)), signal: AbortSignal.any([signal, limit]) };
  try {
    return await ask(context);
  } catch (error) {
    signal.throwIfAborted();
    if (!limit.aborted) throw error;
    throw new RefloatError("source.unreachable", `no answer within ${answerMs / 1_000} s`, {
      cause: error,
      context: { isSilent: true },
    });
  }
};
