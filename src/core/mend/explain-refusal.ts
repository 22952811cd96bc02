/** What it means for whoever waits that a server refused a script or a condition, whatever the technology. Pure. */
import type { MendDirection } from "../../model/mend.ts";
import { formatList } from "../text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";

const nothing = "nothing was changed: it is all or nothing";

export type ScriptFailure =
  /** A row is not as it was compared; `message` is the script's own. */
  | { readonly kind: "changed"; readonly message: string }
  /** The server refuses a row, which it would have taken when the rows were compared: a row of that key, or of one that it refers to, came or went since. */
  | { readonly kind: "overtaken"; readonly message: string }
  /** The server refuses a row. */
  | { readonly kind: "refused"; readonly message: string }
  /** Its last word was sent, and what became of it was not heard. */
  | { readonly kind: "unheard" }
  | { readonly kind: "other" };

/** @returns what to throw */
export const explainFailure = (thrown: unknown, failure: ScriptFailure, direction: MendDirection): unknown => {
  if (failure.kind === "changed" || failure.kind === "overtaken") {
    const words =
      failure.kind === "changed" ? failure.message : `what is live is not as it was compared: ${failure.message}`;
    return new RefloatError("rows.changed", words, {
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
      hint: "what is named there does not take it as it was: leave such rows out by --where or --columns, or change the constraint or the trigger, and compare again",
    });
  }
  // Interrupted, the transaction ends with its session, unless its last word was sent before.
  if (!(thrown instanceof RefloatError) || (thrown.code === "interrupted" && failure.kind !== "unheard")) return thrown;
  return new RefloatError(thrown.code, thrown.message, {
    cause: thrown,
    state: failure.kind === "unheard" ? "it is not known whether it was done: compare again" : nothing,
    ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
  });
};

/**
 * A condition that the server does not understand.
 * @param refused `at` is where in the condition it stumbled, from 0; null where it does not say, the length at its end
 */
export const refuseCondition = (refused: {
  readonly where: string;
  readonly label: string;
  readonly columns: readonly string[];
  readonly said: string;
  readonly at: number | null;
  readonly cause: unknown;
}): RefloatError => {
  const { where, label, columns, said, at, cause } = refused;
  const place = at === null ? "" : at >= where.length ? " at its end" : ` at character ${at + 1}`;
  return new RefloatError("usage", `--where "${where}" is no condition on the rows of ${label}${place}: ${said}`, {
    cause,
    state: nothing,
    hint: `write what stands after WHERE in SQL, such as --where "id = 42"; ${label} has ${formatList(columns, 12)}`,
    nextCommand: "refloat mend --help",
  });
};
