/** Puts an act into the audit log: `begun` before it, its outcome after it, whatever the outcome. */
import type { AuditAction, AuditPlace } from "../../model/audit-entry.ts";
import type { JsonObject } from "../../model/json.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import type { AuditLog } from "../ports/audit-log.ts";

export type AuditedAct = {
  readonly action: AuditAction;
  readonly service: string | null;
  /** What is known before it. */
  readonly detail: JsonObject;
};

export type AuditedEnd = { readonly outcome?: string; readonly detail: JsonObject };

/**
 * @param describe outcome (`done` when left out) and facts of an act that returned
 * @throws what the act throws; RefloatError journal.failed before it, when the begin cannot be written
 */
export const audited = async <Result>(
  log: AuditLog,
  { action, service, detail }: AuditedAct,
  act: (begin: AuditPlace) => Promise<Result>,
  describe: (result: Result) => AuditedEnd,
): Promise<Result> => {
  const begin = await log.append({ action, service, detail, outcome: "begun" });
  const end = (outcome: string, more: JsonObject) =>
    log.append({ action, service, outcome, detail: { ...detail, ...more }, ends: begin });
  let result: Result;
  try {
    result = await act(begin);
  } catch (thrown) {
    const { code, message } = toRefloatError(thrown);
    // The act's own error is what the person must hear.
    await end(code === "interrupted" ? "interrupted" : "failed", { code, message }).catch(() => null);
    await log.settle();
    throw thrown;
  }
  const { outcome = "done", detail: more } = describe(result);
  await end(outcome, more);
  await log.settle();
  return result;
};

/** One act of several services: a begin and an end for each of them. @param describe the end of the act as far as it is the service's */
export const auditedTogether = <Result>(
  log: AuditLog,
  [first, ...rest]: readonly AuditedAct[],
  act: () => Promise<Result>,
  describe: (result: Result, service: string | null) => AuditedEnd,
): Promise<Result> =>
  first === undefined
    ? act()
    : audited(
        log,
        first,
        () => auditedTogether(log, rest, act, describe),
        (result) => describe(result, first.service),
      );
