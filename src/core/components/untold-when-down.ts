import { RefloatError } from "../../model/refloat-error.ts";
import type { WriteEstimate } from "../ports/driver.ts";

/** A source that is down is the usual reason for a recovery: a plan says then that nobody can tell, and why. @throws the signal's reason, and what is no answer of a driver */
export const untoldWhenDown = async (
  signal: AbortSignal,
  ask: () => Promise<WriteEstimate | null>,
): Promise<WriteEstimate | null> => {
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return { about: "nobody can tell what", lastWriteAt: null, untold: error.message };
  }
};
