/** Compare-and-set of where users are directed: whoever has directed them elsewhere meanwhile had a reason, and must not find it undone. */
import { RefloatError } from "../../model/refloat-error.ts";

/**
 * @param now where traffic goes, as it was seen just before the change; null where it goes nowhere
 * @param from where the run has seen it go, or has sent it; null when that is not known
 * @throws RefloatError cutover.conflict
 */
export const refuseMovedTraffic = (
  name: string,
  now: string | null,
  to: string,
  from: readonly string[] | null,
): void => {
  if (from === null || now === null || now === to || from.includes(now)) return;
  const expected = from.length === 0 ? "pointed nowhere" : `pointed to ${[...new Set(from)].join(" or ")}`;
  throw new RefloatError("cutover.conflict", `${name} ${expected}, and points to ${now} now: somebody changed it`, {
    state: "nothing was written over it",
    hint: "see who changed it; direct it back by hand, then go on",
  });
};
