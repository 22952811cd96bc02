import { RefloatError } from "../../model/refloat-error.ts";

/** A source that is down is the usual reason for a recovery: what it alone can tell is null then. @throws the signal's reason, and what is no answer of a driver */
export const nullWhenDown = async <Told>(signal: AbortSignal, ask: () => Promise<Told>): Promise<Told | null> => {
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RefloatError) return null;
    throw error;
  }
};
