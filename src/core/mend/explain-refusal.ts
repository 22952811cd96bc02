/** What it means for whoever waits that a script ended with an error, whatever the technology. Pure. */
import type { MendDirection } from "../../model/mend.ts";
import { RefloatError } from "../../model/refloat-error.ts";

const nothing = "nothing was changed: it is all or nothing";

export type ScriptFailure =
  /** A row is not as it was compared; `message` is the script's own. */
  | { readonly kind: "changed"; readonly message: string }
  /** The server refuses a row. */
  | { readonly kind: "refused"; readonly message: string }
  /** Its last word was sent, and what became of it was not heard. */
  | { readonly kind: "unheard" }
  | { readonly kind: "other" };

/** @returns what to throw */
export const explainFailure = (thrown: unknown, failure: ScriptFailure, direction: MendDirection): unknown => {
  if (failure.kind === "changed") {
    return new RefloatError("rows.changed", failure.message, {
      cause: thrown,
      state: nothing,
      hint:
        direction === "undo"
          ? "it was taken back already, or somebody has written since: compare again"
          : "it was done already, or somebody has written since they were compared: compare again",
    });
  }
  if (failure.kind === "refused") {
    return new RefloatError("target.failed", `the server refuses a row: ${failure.message}`, {
      cause: thrown,
      state: nothing,
    });
  }
  // Interrupted, the transaction ends with its session, unless its last word was sent before.
  if (!(thrown instanceof RefloatError) || (thrown.code === "interrupted" && failure.kind !== "unheard")) return thrown;
  const lost = failure.kind === "unheard" || thrown.code === "source.unreachable";
  return new RefloatError(thrown.code, thrown.message, {
    cause: thrown,
    state: lost ? "it is not known whether it was done: compare again" : nothing,
    ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
  });
};
