import type { CheckOutcome } from "../../model/outcome.ts";
import type { DriverContext } from "../ports/driver.ts";

/** Begins a comparison of an instance with the facts of its point. @returns makes an outcome of it: `facts: keys`, and how long it took until then */
export const beginFacts = ({ component, clock }: Pick<DriverContext, "component" | "clock">) => {
  const beganMs = clock.monotonicMs();
  return (status: CheckOutcome["status"], subject: string, found: string): CheckOutcome => ({
    subject: `facts: ${subject}`,
    kind: "facts",
    component,
    status,
    found,
    durationMs: clock.monotonicMs() - beganMs,
  });
};
