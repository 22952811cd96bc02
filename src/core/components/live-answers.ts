/** What is live is asked what a recovery asks of the new side: the probe, each check and each invariant; or what is declared of one component. */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import { checkInvariant } from "../invariants/check-invariant.ts";
import type { Clock } from "../ports/environment.ts";
import type { ComponentAccess } from "./component-access.ts";

/** What cannot be asked (its application is gone, a stranger has its port) is one subject's trouble, not that of the others. */
export const unaskedOutcome = (
  error: unknown,
  asked: Pick<CheckOutcome, "subject" | "kind">,
  signal: AbortSignal,
): CheckOutcome => {
  signal.throwIfAborted();
  const { code, message } = toRefloatError(error);
  if (code === "bug") throw error;
  return { ...asked, status: "failed", found: `could not be asked: ${message}`, durationMs: 0 };
};

export const liveAnswers = async (
  service: ServiceDeclaration,
  access: ComponentAccess,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly CheckOutcome[]> => {
  const answers: CheckOutcome[] = [];
  const ask = async (
    asked: Pick<CheckOutcome, "subject" | "kind">,
    act: () => Promise<CheckOutcome>,
  ): Promise<void> => {
    answers.push(await act().catch((error: unknown) => unaskedOutcome(error, asked, signal)));
  };
  const { probe } = service;
  if (probe !== undefined)
    await ask({ subject: "probe", kind: probe.kind }, async () => ({
      ...(await access.runCheck(probe, null)),
      subject: "probe",
    }));
  for (const name of Object.keys(service.components))
    answers.push(...(await askedChecks(service, name, access, signal)));
  for (const [name, invariant] of Object.entries(service.invariants))
    await ask({ subject: `invariant ${name}`, kind: "invariant" }, () =>
      checkInvariant(name, invariant, access, clock),
    );
  return answers;
};

const askedChecks = async (
  { components }: ServiceDeclaration,
  name: string,
  access: ComponentAccess,
  signal: AbortSignal,
): Promise<readonly CheckOutcome[]> => {
  const answers: CheckOutcome[] = [];
  for (const check of components[name]?.checks ?? []) {
    const asked = { subject: `check ${check.kind} of ${name}`, kind: check.kind, component: name };
    answers.push(await access.runCheck(check, name).catch((error: unknown) => unaskedOutcome(error, asked, signal)));
  }
  return answers;
};

/** Its checks; of an application that has none, whether it runs. Nothing where there is nothing that could be asked. */
export const componentAnswers = async (
  service: ServiceDeclaration,
  name: string,
  access: ComponentAccess,
  signal: AbortSignal,
): Promise<readonly CheckOutcome[]> => {
  const answers = await askedChecks(service, name, access, signal);
  const { runtime } = access.driver(name);
  if (answers.length > 0 || runtime === undefined) return answers;
  const asked = { subject: name, kind: "process", component: name };
  try {
    const live = await runtime.live(await access.context(name));
    return [
      {
        ...asked,
        status: live === null ? "failed" : "passed",
        found: live === null ? "does not run" : "runs",
        durationMs: 0,
      },
    ];
  } catch (error) {
    return [unaskedOutcome(error, asked, signal)];
  }
};
