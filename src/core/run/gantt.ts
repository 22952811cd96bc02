/**
 * Planned against actual, as bars on one scale. The scale is the time in which the run was worked on: what it waited for a person, or lay between two
 * processes, is taken out and told as a break, so that an answer that took all night does not squeeze the work into a line. Pure.
 */
import type { StepId } from "../../model/identifiers.ts";
import type { Plan } from "../../model/plan.ts";
import type { RunEvent, RunRecord, StepState } from "../../model/run.ts";
import { plannedSchedule } from "./planned-schedule.ts";
import type { PlannedSpan } from "./scheduling.ts";
import { type StepAttempt, stepAttempts } from "./step-attempts.ts";

export type GanttBar = {
  /** Milliseconds on the scale. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly attempt: number;
  readonly compensates: boolean;
  readonly state: StepState;
};

export type GanttRow = { readonly step: StepId; readonly planned: PlannedSpan; readonly actual: readonly GanttBar[] };

export type Gantt = {
  readonly rows: readonly GanttRow[];
  /** Where nobody worked. */
  readonly breaks: readonly { readonly atMs: number; readonly lengthMs: number }[];
  /** Length of the scale; at least 1. */
  readonly totalMs: number;
};

/** Shorter pauses are part of the work. */
const shortestBreakMs = 1_000;

type Span = { readonly from: number; readonly to: number };

/** Joined and in order. */
const worked = (attempts: readonly StepAttempt[], nowMs: number): readonly Span[] => {
  const spans = attempts
    .map(({ beganAt, endedAt }) => ({ from: Date.parse(beganAt), to: endedAt === null ? nowMs : Date.parse(endedAt) }))
    .toSorted((a, b) => a.from - b.from);
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    if (last !== undefined && span.from - last.to < shortestBreakMs)
      joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
    else joined.push(span);
  }
  return joined;
};

/** @param now ISO: where what still goes on ends */
export const ganttOf = (record: RunRecord, plan: Plan, events: readonly RunEvent[], now: string): Gantt => {
  const planned = plannedSchedule(plan);
  const attempts = stepAttempts(events);
  const nowMs = Date.parse(record.endedAt ?? now);
  const spans = worked(attempts, nowMs);
  /** How much was worked before that moment. */
  const scale = (ms: number): number =>
    spans.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(ms, to) - from), 0);
  const breaks = spans.slice(1).map(({ from }, index) => {
    const before = spans[index]?.to ?? from;
    return { atMs: scale(before), lengthMs: from - before };
  });
  const rows = plan.intent.steps.map(({ id }): GanttRow => ({
    step: id,
    planned: planned(id) ?? { fromMs: 0, toMs: 0 },
    actual: attempts
      .filter(({ step }) => step === id)
      .map(({ attempt, compensates, state, beganAt, endedAt }) => ({
        attempt,
        compensates,
        state,
        fromMs: scale(Date.parse(beganAt)),
        toMs: scale(endedAt === null ? nowMs : Date.parse(endedAt)),
      })),
  }));
  const ends = rows.flatMap((row) => [row.planned.toMs, ...row.actual.map(({ toMs }) => toMs)]);
  return { rows, breaks, totalMs: Math.max(1, ...ends) };
};
