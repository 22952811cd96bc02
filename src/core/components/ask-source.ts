/** Declared checks and invariants, asked of the source when a point is taken. */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import { checkInvariant } from "../invariants/check-invariant.ts";
import type { Clock } from "../ports/environment.ts";
import type { ComponentAccess } from "./component-access.ts";

/** Declared checks, asked of the source: a failed one marks the point as bad, it does not stop the capture. */
export const sourceChecks = async (
  service: ServiceDeclaration,
  order: readonly string[],
  access: ComponentAccess,
): Promise<readonly CheckOutcome[]> => {
  const outcomes: CheckOutcome[] = [];
  for (const component of order) {
    for (const check of service.components[component]?.checks ?? []) {
      outcomes.push(
        await access.runCheck(check, component).catch((error: unknown) => unanswered(check.kind, component, error)),
      );
    }
  }
  return outcomes;
};

export const sourceInvariants = (
  service: ServiceDeclaration,
  access: ComponentAccess,
  clock: Clock,
): Promise<readonly CheckOutcome[]> =>
  Promise.all(
    Object.entries(service.invariants).map(([name, invariant]) =>
      checkInvariant(name, invariant, access, clock).catch((error: unknown) => unansweredInvariant(name, error)),
    ),
  );

/** A source that cannot be asked (an application that is down) is shown as such; its data may still be whole. */
const unanswered = (kind: string, component: string, error: unknown): CheckOutcome => {
  const { code, message } = toRefloatError(error);
  if (code === "bug") throw error;
  return {
    subject: `${kind} of ${component}`,
    kind,
    component,
    status: "skipped",
    found: `could not be asked: ${message}`,
    durationMs: 0,
  };
};

/** Its error names it. */
const unansweredInvariant = (name: string, error: unknown): CheckOutcome => {
  const { component: _none, ...outcome } = unanswered("invariant", name, error);
  return { ...outcome, subject: `invariant ${name}` };
};

const unasked = (kind: string, component: string): CheckOutcome => ({
  subject: `${kind} of ${component}`,
  kind,
  status: "skipped",
  found: "not asked: the service was held",
  durationMs: 0,
});

export const unaskedChecks = (service: ServiceDeclaration, order: readonly string[]): readonly CheckOutcome[] =>
  order.flatMap((component) =>
    (service.components[component]?.checks ?? []).map((check) => ({ ...unasked(check.kind, component), component })),
  );

export const unaskedInvariants = (service: ServiceDeclaration): readonly CheckOutcome[] =>
  Object.keys(service.invariants).map((name) => ({ ...unasked("invariant", name), subject: `invariant ${name}` }));
