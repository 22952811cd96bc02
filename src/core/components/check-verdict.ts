/** Reads a list of check outcomes as one verdict. */
import type { CheckOutcome } from "../../model/outcome.ts";

export const failedChecks = (outcomes: readonly CheckOutcome[]): readonly CheckOutcome[] =>
  outcomes.filter(({ status }) => status === "failed");

/** `sql: select ...: false; orders: 199,990 rows, captured 200,000` */
export const describeOutcomes = (outcomes: readonly CheckOutcome[]): string =>
  outcomes.map(({ subject, found }) => `${subject}: ${found}`).join("; ");
