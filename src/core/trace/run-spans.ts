/**
 * A run as the spans of a trace: one for the run, below it one for each step that was begun, below that one for each attempt. Made from the journal
 * when the run has ended, so that a run that was killed and taken up again, by whichever process, is one trace. Pure but for the given digest.
 */
import type { StepId } from "../../model/identifiers.ts";
import type { Plan } from "../../model/plan.ts";
import type { RunEvent, RunRecord } from "../../model/run.ts";
import { type StepAttempt, stepAttempts } from "../run/step-attempts.ts";

export type AttributeValue = string | number | boolean;

export type Span = {
  /** 32 hexadecimal digits: those of the run's uid. */
  readonly traceId: string;
  /** 16 hexadecimal digits, the same whenever the trace is made again. */
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  /** ISO 8601. */
  readonly beganAt: string;
  readonly endedAt: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly events: readonly { readonly at: string; readonly name: string }[];
  /** Null when it went well. */
  readonly error: { readonly type: string; readonly message: string } | null;
};

export type TracedRun = {
  readonly record: RunRecord;
  readonly plan: Plan;
  readonly events: readonly RunEvent[];
  /** ISO: where what has no end ends. */
  readonly now: string;
  /** Hexadecimal digits, at least 16, of a text: SHA-256. */
  readonly digest: (text: string) => string;
};

const good: ReadonlySet<RunRecord["state"]> = new Set(["succeeded", "committed", "cancelled"]);

export const runSpans = ({ record, plan, events, now, digest }: TracedRun): readonly Span[] => {
  const idOf = (...names: readonly (string | number)[]): string =>
    digest([record.uid, ...names].join("\0")).slice(0, 16);
  const base = { traceId: record.uid.replaceAll("-", "") };
  const root = idOf("run");
  const byStep = Map.groupBy(stepAttempts(events), ({ step }) => step);
  const end = record.endedAt ?? now;
  const failed = record.steps.find(({ error }) => error !== null)?.error ?? null;
  const run: Span = {
    ...base,
    spanId: root,
    parentSpanId: null,
    name: record.purpose,
    beganAt: record.beganAt,
    endedAt: end,
    attributes: runAttributes(record, plan),
    events: events.flatMap((event) =>
      event.type === "run" && event.message !== undefined ? [{ at: event.at, name: event.message }] : [],
    ),
    error: good.has(record.state)
      ? null
      : { type: failed?.code ?? record.state, message: record.message ?? failed?.message ?? record.state },
  };
  return [
    run,
    ...[...byStep].flatMap(([step, attempts]): readonly Span[] => {
      const spanId = idOf("step", step);
      const own = record.steps.find(({ id }) => id === step);
      const error = own?.error ?? null;
      return [
        {
          ...base,
          spanId,
          parentSpanId: root,
          name: plan.intent.steps.find(({ id }) => id === step)?.action.kind ?? "step",
          beganAt: attempts[0]?.beganAt ?? record.beganAt,
          endedAt: latest(attempts, end),
          attributes: stepAttributes(step, plan, own?.state ?? "unknown"),
          events: [],
          error: error === null ? null : { type: error.code, message: error.message },
        },
        ...attempts.map((attempt, index) => ({
          ...base,
          spanId: idOf("attempt", step, index),
          parentSpanId: spanId,
          name: attempt.compensates ? "compensate" : "attempt",
          beganAt: attempt.beganAt,
          endedAt: attempt.endedAt ?? end,
          attributes: {
            "refloat.step.id": step,
            "refloat.attempt": attempt.attempt,
            "refloat.step.state": attempt.state,
          },
          events: [],
          error: attempt.error === null ? null : { type: attempt.error.code, message: attempt.error.message },
        })),
      ];
    }),
  ];
};

const latest = (attempts: readonly StepAttempt[], end: string): string =>
  attempts
    .map(({ endedAt }) => endedAt ?? end)
    .reduce((last, at) => (at > last ? at : last), attempts[0]?.beganAt ?? end);

const runAttributes = (
  { number, uid, service, state, digest, incidentAt }: RunRecord,
  { intent }: Plan,
): Span["attributes"] => ({
  "refloat.service": service,
  "refloat.run.number": number,
  "refloat.run.uid": uid,
  "refloat.run.state": state,
  "refloat.plan.digest": digest,
  "refloat.cutover": intent.cutover,
  ...(intent.point === null ? {} : { "refloat.point.id": intent.point.id }),
  ...(incidentAt === null ? {} : { "refloat.incident.at": incidentAt }),
});

const stepAttributes = (id: StepId, { intent, forecast }: Plan, state: string): Span["attributes"] => {
  const step = intent.steps.find((one) => one.id === id);
  const planned = forecast.steps[id];
  return {
    "refloat.step.id": id,
    "refloat.step.state": state,
    ...(step === undefined ? {} : { "refloat.step.phase": step.phase }),
    ...(step !== undefined && "component" in step.action ? { "refloat.component": step.action.component } : {}),
    ...(planned === undefined ? {} : { "refloat.step.title": planned.title }),
    ...(planned?.durationMs == null ? {} : { "refloat.step.planned_ms": planned.durationMs }),
  };
};
