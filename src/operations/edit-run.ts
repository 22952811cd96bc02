/**
 * edit: changes one field of a step of a run that stands still. The run goes on by another plan from then on: journal, audit log and report
 * keep what was changed, by whom and why, and the digests of both.
 */
import { isInstruction } from "../core/run/approval-gate.ts";
import { editStep } from "../core/run/edit-step.ts";
import { hasEnded } from "../core/run/legal-transitions.ts";
import { hasCutoverBegun } from "../core/run/resume-rules.ts";
import { buildStepGraph } from "../core/run/step-graph.ts";
import { namedSteps } from "../core/run/named-steps.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { formatList } from "../core/text/quantity.ts";
import type { PlanDigest, RunNumber, StepId } from "../model/identifiers.ts";
import type { Json } from "../model/json.ts";
import type { Plan, PlanStep } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";

export type EditRequest = {
  readonly run: RunNumber;
  /** As typed: an id, or what follows its colon. */
  readonly step: string;
  readonly field: string;
  readonly value: string;
  readonly reason: string;
};

export type RunEdited = {
  readonly run: RunNumber;
  readonly service: string;
  readonly step: StepId;
  readonly field: string;
  readonly from: Json;
  readonly to: Json;
  /** Digests of the plan. */
  readonly before: PlanDigest;
  readonly after: PlanDigest;
  readonly by: string;
  /** Gates to which what was said before counts no more. */
  readonly asksAgain: readonly StepId[];
};

/** @throws RefloatError run.unknown, run.in-progress, run.wrong-state, usage */
export const editRun = async (bench: Workbench, request: EditRequest): Promise<RunEdited> => {
  const journal = await bench.journal();
  const { service } = (await journal.readRun(request.run)).record;
  const leases = await bench.leases();
  // While it is held nobody takes the run up, and nobody who executes it holds another plan in memory.
  const lease = await leases.acquire(service, `the edit of run ${request.run}`).catch((error: unknown) => {
    if (!(error instanceof RefloatError) || error.code !== "run.in-progress") throw error;
    throw new RefloatError("run.in-progress", `run ${request.run} is being executed: ${error.message}`, {
      cause: error,
      state: "nothing was edited",
      hint: "a run is edited while it stands still",
      nextCommand: `refloat pause ${request.run}`,
    });
  });
  try {
    return await editHeld(bench, request);
  } finally {
    await lease.release();
  }
};

const editHeld = async (
  bench: Workbench,
  { run, step: typed, field, value, reason }: EditRequest,
): Promise<RunEdited> => {
  const journal = await bench.journal();
  const { record, plan } = await journal.readRun(run);
  const step = chooseStep(record, plan, typed);
  const edited = editStep(plan, step.id, field, value);
  const gates = gatesOver(plan, field);
  if (gates.length > 0 && hasCutoverBegun(record, buildStepGraph(plan.intent.steps)))
    throw new RefloatError(
      "run.wrong-state",
      `${field} of ${step.id} was approved, and run ${run} is in its cutover or past it`,
      {
        state: "nothing was edited",
        hint: "do what is right, and say so as the evidence",
        nextCommand: `refloat done ${run} ${step.id} --evidence TEXT`,
      },
    );
  const { from, to } = edited;
  const [before, after] = [plan.digest, edited.plan.digest];
  if (before === after)
    throw new RefloatError("usage", `${field} of ${step.id} is ${JSON.stringify(to)} already`, {
      nextCommand: `refloat runs ${run}`,
    });
  const person = await bench.person();
  const word = {
    says: "edit" as const,
    step: step.id,
    by: person.name,
    roles: [...person.roles],
    reason,
    edit: { field, from, to, before, after },
  };
  await journal.edit(run, bench.clock.now().toISOString(), word, edited.plan);
  await bench.audit.append({
    action: "edit",
    outcome: "done",
    service: record.service,
    detail: { run, uid: record.uid, step: step.id, field, from, to, before, after, by: word.by, reason },
  });
  await bench.audit.settle();
  return { run, service: record.service, step: step.id, field, from, to, before, after, by: word.by, asksAgain: gates };
};

/** Who says yes says it to what people are told, too. */
const gatesOver = ({ intent }: Plan, field: string): readonly StepId[] =>
  isInstruction(field) ? intent.steps.flatMap(({ id, action }) => (action.kind === "approve" ? [id] : [])) : [];

const chooseStep = (record: RunRecord, { intent }: Plan, typed: string): PlanStep => {
  const { number: run, state, direction } = record;
  if (direction !== "forward" || (hasEnded(state) && state !== "failed"))
    throw new RefloatError("run.wrong-state", `run ${run} does not go on (${state}): there is nothing to edit`, {
      nextCommand: `refloat runs ${run}`,
    });
  const open = new Set(
    record.steps.flatMap((step) => (["done", "skipped", "cancelled"].includes(step.state) ? [] : [step.id])),
  );
  const fits = namedSteps(intent.steps, typed);
  const [step] = fits;
  const ids = intent.steps.flatMap(({ id }) => (open.has(id) ? [id] : []));
  if (step === undefined || fits.length > 1)
    throw new RefloatError(
      "usage",
      step === undefined
        ? `run ${run} has no step ${typed}`
        : `which step of run ${run}? ${formatList(fits.map(({ id }) => id))}`,
      { hint: `still to be done: ${formatList(ids)}`, nextCommand: `refloat runs ${run}` },
    );
  if (!open.has(step.id))
    throw new RefloatError("run.wrong-state", `${step.id} of run ${run} has been done: an edit would change nothing`, {
      hint: `still to be done: ${formatList(ids)}`,
      nextCommand: `refloat runs ${run}`,
    });
  return step;
};
