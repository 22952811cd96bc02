/** recover: executes a plan that was shown, to its end or to a wait for a person. Serves undo as well: an undo is a plan too. */
import { type AuditedEnd, audited, auditedTogether } from "../core/audit/audited.ts";
import { auditedPlan, auditedRun } from "../core/audit/audited-run.ts";
import { refuseBrokenLinks } from "../core/planner/refuse-broken-links.ts";
import type { RunListener } from "../core/ports/engine.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { refuseSecondRun } from "../core/run/refuse-second-run.ts";
import type { JointPlan, ShownPlan } from "../model/joint-plan.ts";
import type { Plan } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";

export type RecoverOptions = {
  readonly plan: Plan;
  /** The moment of the first wrong answer, ISO, when it is known. */
  readonly incidentAt: string | null;
  readonly listener: RunListener;
  readonly signal: AbortSignal;
};

/** @throws RefloatError recover.would-break */
export const recover = async (bench: Workbench, { plan, ...options }: RecoverOptions): Promise<RunRecord> => {
  refuseBrokenLinks(plan);
  const engine = await bench.engine();
  return audited(bench.audit, auditedPlan(plan), () => engine.execute(plan, options), auditedRun);
};

export type JointRecoverOptions = Omit<RecoverOptions, "plan"> & { readonly plan: JointPlan };

/** Each service has its own begin and end in the audit log. @throws RefloatError recover.would-break */
export const recoverJointly = async (
  bench: Workbench,
  { plan, ...options }: JointRecoverOptions,
): Promise<readonly RunRecord[]> => {
  for (const part of plan.parts) refuseBrokenLinks(part);
  const engine = await bench.engine();
  return auditedTogether(
    bench.audit,
    plan.parts.map((part) => auditedPlan(part, plan.digest)),
    () => engine.executeJoint(plan, options),
    (records, service) => endOf(records, service),
  );
};

const endOf = (records: readonly RunRecord[], service: string | null): AuditedEnd => {
  const record = records.find((one) => one.service === service);
  return record === undefined ? { detail: {} } : auditedRun(record);
};

/**
 * Before anything is looked at or shown: a service has one run at a time.
 * @param undoes uid of the run that the next one undoes
 * @throws RefloatError run.in-progress
 */
export const refuseIfBusy = async (bench: Workbench, service: string, undoes: string | null): Promise<void> => {
  const runs = await (await bench.journal()).listRuns(service);
  const running = runs.find(({ state }) => state === "running");
  const holder = running === undefined ? null : await (await bench.leases()).holder(service);
  if (running !== undefined && holder !== null)
    throw new RefloatError("run.in-progress", `run ${running.number} of ${service} is going on: ${holder}`, {
      hint: "follow it, or stop it where it runs",
      nextCommand: `refloat runs ${running.number} --follow`,
      context: { run: running.number },
    });
  refuseSecondRun(runs, undoes);
};

/** The plan that was shown under this digest (or its first characters). @throws RefloatError plan.unknown */
export const readPlan = async (bench: Workbench, digest: string): Promise<ShownPlan> =>
  (await bench.journal()).readPlan(digest);
