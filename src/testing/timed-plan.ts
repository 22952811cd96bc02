/** Plans of steps that only take time, executed on a virtual clock: what the scheduler makes of a graph, to the millisecond. */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type { Leases } from "../core/ports/engine.ts";
import { createEngine } from "../engine/create-engine.ts";
import type { JointPlan } from "../model/joint-plan.ts";
import type { Plan, PlanIntent } from "../model/plan.ts";
import type { RunRecord } from "../model/run.ts";
import { silentLog } from "../platform/log.ts";
import { openInThreadJournal } from "./in-thread-journal.ts";
import { jointRecoveryPlan, testPlan, testStep } from "./run-plans.ts";
import { timedHandlers } from "./timed-handlers.ts";
import { VirtualClock } from "./virtual-clock.ts";

export type TimedStep = {
  readonly id: string;
  readonly needs: readonly string[];
  readonly durationMs: number;
  /** A restore when left out. */
  readonly kind?: "restore" | "check";
  readonly resources?: readonly string[];
};

/** Any directed graph without a cycle: each step needs some of those before it. */
export const timedSteps = (most: number): fc.Arbitrary<readonly TimedStep[]> =>
  fc
    .array(
      fc.record({
        durationMs: fc.integer({ min: 1, max: 1000 }),
        needs: fc.array(fc.nat(), { maxLength: 3, size: "max" }),
      }),
      { minLength: 1, maxLength: most, size: "max" },
    )
    .map((steps) =>
      steps.map(({ durationMs, needs }, index) => ({
        id: `s${index}`,
        durationMs,
        needs: index === 0 ? [] : [...new Set(needs.map((need) => `s${need % index}`))],
      })),
    );

export type TimedRun = {
  readonly record: RunRecord;
  readonly makespanMs: number;
  readonly spans: ReadonlyMap<string, { readonly fromMs: number; readonly toMs: number }>;
};

const noLeases: Leases = {
  acquire: async () => ({ release: async () => undefined }),
  holder: async () => null,
};

const durationsOf = (steps: readonly TimedStep[]) =>
  Object.fromEntries(steps.map(({ id, durationMs }) => [id, durationMs]));

/** Each step has a component of its own, with the resources that it uses. */
export const timedPlan = (
  steps: readonly TimedStep[],
  declared: Pick<PlanIntent["declaration"], "limits" | "steps">,
): Plan => {
  const plan = testPlan({
    steps: steps.map(({ id, needs, kind = "restore" }) => testStep(id, "restore", { kind, component: id }, needs)),
    durations: durationsOf(steps),
  });
  const components = Object.fromEntries(
    steps.map(({ id, resources = [] }) => [
      id,
      { name: id, type: "files", dependsOn: [], uses: [], resources: [...resources], checks: [], options: {} },
    ]),
  );
  return { ...plan, intent: { ...plan.intent, declaration: { ...plan.intent.declaration, components, ...declared } } };
};

export const executeTimed = async (
  steps: readonly TimedStep[],
  concurrency: number,
  declared: Pick<PlanIntent["declaration"], "limits" | "steps"> = {},
): Promise<TimedRun> => {
  const clock = new VirtualClock();
  const journal = openInThreadJournal(":memory:");
  const spans = new Map<string, { fromMs: number; toMs: number }>();
  const durations = durationsOf(steps);
  const engine = createEngine({
    journal,
    leases: noLeases,
    handlers: timedHandlers(async (context) => {
      const fromMs = clock.monotonicMs();
      await clock.sleep(durations[context.step.id] ?? 0, context.signal);
      spans.set(context.step.id, { fromMs, toMs: clock.monotonicMs() });
    }),
    clock,
    log: silentLog,
    newUid: randomUUID,
    limits: { concurrency },
  });
  const plan = timedPlan(steps, declared);
  const signal = new AbortController().signal;
  const record = await clock.passUntil(engine.execute(plan, { incidentAt: null, listener: () => undefined, signal }));
  await journal.close();
  return { record, makespanMs: clock.monotonicMs(), spans };
};

/** Steps of several services, each of which may wait for services before it. */
export type TimedPart = {
  readonly service: string;
  readonly steps: readonly (TimedStep & { readonly after?: readonly string[] })[];
};

export const timedParts = (parts: readonly TimedPart[]): readonly Plan[] =>
  parts.map(({ service, steps }) => {
    const plan = timedPlan(steps, {});
    return {
      ...plan,
      intent: {
        ...plan.intent,
        service,
        steps: plan.intent.steps.map((step) => {
          const after = steps.find(({ id }) => id === (step.id as string))?.after ?? [];
          return after.length === 0 ? step : { ...step, after: [...after] };
        }),
      },
    };
  });

/** @returns how long it took, by the virtual clock, until each service was there */
export const executeTimedJoint = async (
  parts: readonly TimedPart[],
  concurrency: number,
): Promise<ReadonlyMap<string, number>> => {
  const clock = new VirtualClock();
  const journal = openInThreadJournal(":memory:");
  const ends = new Map<string, number>();
  const engine = createEngine({
    journal,
    leases: noLeases,
    handlers: timedHandlers(async ({ plan, step, signal }) => {
      const own = parts.find(({ service }) => service === plan.service);
      await clock.sleep(own?.steps.find(({ id }) => id === (step.id as string))?.durationMs ?? 0, signal);
      ends.set(plan.service, clock.monotonicMs());
    }),
    clock,
    log: silentLog,
    newUid: randomUUID,
    limits: { concurrency },
  });
  const plans = timedParts(parts);
  const plan: JointPlan = {
    ...jointRecoveryPlan(),
    intent: {
      ...jointRecoveryPlan().intent,
      asked: parts.at(-1)?.service ?? "",
      parts: plans.map(({ digest }) => digest),
    },
    parts: [...plans],
  };
  const { signal } = new AbortController();
  const records = await clock.passUntil(
    engine.executeJoint(plan, { incidentAt: null, listener: () => undefined, signal }),
  );
  await journal.close();
  const failed = records.find(({ state }) => state !== "succeeded");
  if (failed !== undefined) throw new Error(`${failed.service} is ${failed.state}: ${failed.message ?? ""}`);
  return ends;
};

/** The longest way through the graph, and all of its work. */
export const boundsOf = (steps: readonly TimedStep[]) => {
  const endMs = new Map<string, number>();
  for (const { id, needs, durationMs } of steps)
    endMs.set(id, durationMs + Math.max(0, ...needs.map((need) => endMs.get(need) ?? 0)));
  return {
    longestWayMs: Math.max(...endMs.values()),
    workMs: steps.reduce((sum, { durationMs }) => sum + durationMs, 0),
  };
};
