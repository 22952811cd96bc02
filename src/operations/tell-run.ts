/**
 * approve, done, skip, pause: what a person says to a run from another terminal. The word is kept in the run's journal and in the audit log;
 * what follows of it happens where the run is executed, or once it is resumed.
 */
import { describeNeeds, isHeardBy, judgeGate, mayApprove } from "../core/run/approval-gate.ts";
import { approvalOverridden } from "../core/notify/approval-overridden.ts";
import { hasCutoverBegun } from "../core/run/resume-rules.ts";
import { namedSteps } from "../core/run/named-steps.ts";
import { maySkip } from "../core/run/skippable-steps.ts";
import { buildStepGraph } from "../core/run/step-graph.ts";
import { withTrueState } from "../core/run/true-state.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { formatList } from "../core/text/quantity.ts";
import type { AuditAction } from "../model/audit-entry.ts";
import type { RunNumber, StepId } from "../model/identifiers.ts";
import type { PlanStep, StepKind } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunRecord, RunState, StepState } from "../model/run.ts";
import type { RunWord, SpokenWord } from "../model/run-word.ts";

/** An edit is more than a word: edit-run.ts. */
type ToldWord = Exclude<RunWord["says"], "edit">;

export type RunTold = {
  readonly run: RunNumber;
  readonly service: string;
  readonly state: RunState;
  readonly says: ToldWord;
  readonly step: StepId | null;
  readonly by: string;
  /** Of an approval gate: who is still missing, in words; null when it is open. */
  readonly missing: string | null;
};

export type RunWordRequest = {
  readonly run: RunNumber;
  readonly says: ToldWord;
  /** As typed: an id, or what follows its colon; null for the only one that it can mean. */
  readonly step: string | null;
  readonly reason: string | null;
  readonly evidence: string | null;
};

const auditedAs = {
  yes: "approve",
  no: "approve",
  override: "approve",
  done: "done",
  failed: "done",
  skip: "skip",
  pause: "pause",
} as const satisfies Record<ToldWord, AuditAction>;

/** @throws RefloatError run.unknown, run.wrong-state, usage for a step that it cannot be said to, approval.refused */
export const tellRun = async (bench: Workbench, request: RunWordRequest): Promise<RunTold> => {
  const journal = await bench.journal();
  const { record, plan } = await journal.readRun(request.run);
  const person = await bench.person();
  const step = request.says === "pause" ? null : chooseStep(record, plan.intent.steps, request);
  if (step !== null) refuseUnfit(record, step, request);
  if (step?.action.kind === "approve" && request.says !== "override" && !mayApprove(step.action, person.roles)) {
    const roles = formatList(person.roles);
    throw new RefloatError(
      "approval.refused",
      `${step.action.by?.join(", ")} may answer, and ${person.name} is none of them`,
      {
        state: "nothing was approved",
        hint: `you are ${roles}; if none of them can be reached: --override --reason "why", which is told everywhere`,
        nextCommand: `refloat runs ${request.run}`,
      },
    );
  }
  if (request.says === "pause" && hasCutoverBegun(record, buildStepGraph(plan.intent.steps)))
    throw new RefloatError(
      "run.wrong-state",
      `run ${request.run} is in its cutover: users would wait as long as it is paused`,
      {
        nextCommand: `refloat runs ${request.run} --follow`,
      },
    );
  const word: RunWord = {
    says: request.says,
    step: step?.id ?? null,
    by: person.name,
    roles: [...person.roles],
    ...(request.reason === null ? {} : { reason: request.reason }),
    ...(request.evidence === null ? {} : { evidence: request.evidence }),
    ...(auditedAs[request.says] === "approve" ? { plan: plan.digest } : {}),
  };
  await journal.say(request.run, bench.clock.now().toISOString(), word);
  await bench.audit.append({
    action: auditedAs[request.says],
    outcome: request.says === "no" ? "refused" : request.says === "override" ? "overridden" : "done",
    service: record.service,
    detail: {
      run: request.run,
      uid: record.uid,
      step: word.step,
      by: word.by,
      ...(request.reason === null ? {} : { reason: request.reason }),
      ...(request.evidence === null ? {} : { evidence: request.evidence }),
      ...(word.plan === undefined ? {} : { plan: word.plan }),
    },
  });
  await bench.audit.settle();
  if (word.says === "override") {
    const needs = step?.action.kind === "approve" ? describeNeeds(step.action) : "";
    bench.notifier.tell(approvalOverridden(bench, record, word, needs));
  }
  const { state } = await withTrueState(journal, await bench.leases(), record);
  return {
    run: request.run,
    service: record.service,
    state,
    says: request.says,
    step: word.step,
    by: word.by,
    missing: step === null ? null : missingAt(step, await wordsOf(bench, request.run, step.id), bench),
  };
};

const byHand: ReadonlySet<StepKind> = new Set(["manual", "isolate"]);

/** May this be said to a step of this kind, in this state? What is provisioned asks only where its plan could not be shown before. */
const mayBeSaid = (says: RunWord["says"], kind: StepKind, state: StepState | undefined): boolean => {
  if (says === "skip") return maySkip(kind);
  if (says !== "done" && says !== "failed") return kind === "approve";
  return byHand.has(kind) || (kind === "provision" && state === "waiting");
};

const chooseStep = (record: RunRecord, steps: readonly PlanStep[], { says, step, run }: RunWordRequest): PlanStep => {
  const open = new Set(record.steps.flatMap(({ id, state }) => (state === "done" || state === "skipped" ? [] : [id])));
  const asks = new Set(
    record.steps.flatMap(({ id, state }) => (state === "waiting" || state === "running" ? [id] : [])),
  );
  const states = new Map(record.steps.map(({ id, state }) => [id, state]));
  const isMeant = ({ id, action }: PlanStep): boolean => open.has(id) && mayBeSaid(says, action.kind, states.get(id));
  // Without a name it is the one that waits now, though others come after it.
  const unnamed = steps.filter((one) => isMeant(one) && asks.has(one.id));
  const fits = step !== null ? namedSteps(steps, step) : unnamed.length > 0 ? unnamed : steps.filter(isMeant);
  const [chosen] = fits;
  if (chosen !== undefined && fits.length === 1) return chosen;
  const named = steps.filter(isMeant).map(({ id }) => id);
  throw new RefloatError(
    "usage",
    fits.length > 1
      ? `which step of run ${run}? ${formatList(fits.map(({ id }) => id))}`
      : step === null
        ? `run ${run} has no step that it could be said to`
        : `run ${run} has no step ${step}`,
    {
      hint: named.length === 0 ? "none of its steps waits for that" : `there are ${formatList(named)}`,
      nextCommand: `refloat runs ${run}`,
    },
  );
};

const refuseUnfit = (record: RunRecord, { id, action }: PlanStep, { says, run }: RunWordRequest): void => {
  const state = record.steps.find((step) => step.id === id)?.state;
  const fits = mayBeSaid(says, action.kind, state);
  const why = !fits
    ? says === "skip"
      ? "what comes later is built on what it makes"
      : `it is a step of kind ${action.kind}`
    : state === "done" || state === "skipped"
      ? `it is ${state} already`
      : null;
  if (why === null) return;
  throw new RefloatError("usage", `that cannot be said to ${id} of run ${run}: ${why}`, {
    hint:
      says === "skip" && action.kind === "approve"
        ? "a gate is opened by refloat approve --override --reason TEXT"
        : "nothing was said",
    nextCommand: `refloat runs ${run}`,
  });
};

const wordsOf = async (bench: Workbench, run: RunNumber, step: StepId): Promise<readonly SpokenWord[]> => {
  const words: SpokenWord[] = [];
  for (const event of await (await bench.journal()).events(run)) {
    const word = event.type === "word" ? { ...event.word, at: event.at } : null;
    if (word !== null && isHeardBy(step, word)) words.push(word);
    // What was said before is answered by that.
    if (event.type === "step" && event.step === step && event.state === "failed") words.length = 0;
  }
  return words;
};

const missingAt = ({ action }: PlanStep, words: readonly SpokenWord[], { clock }: Workbench): string | null => {
  if (action.kind !== "approve") return null;
  const verdict = judgeGate(action, words, clock.now().toISOString());
  if (verdict.kind !== "closed") return null;
  const needs = describeNeeds(action);
  return `${needs === "" ? "a yes" : needs}${verdict.by.length === 0 ? "" : `, has ${formatList([...verdict.by])}`}`;
};
