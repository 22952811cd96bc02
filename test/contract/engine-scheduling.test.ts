/** What the scheduler makes of any graph: order, parallelism, and a makespan near the bound that no scheduler can beat. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { simulateRun } from "../../src/core/run/scheduling.ts";
import { stepLimits } from "../../src/core/run/step-limits.ts";
import type { Concurrency } from "../../src/model/step-rules.ts";
import {
  type TimedRun,
  type TimedStep,
  boundsOf,
  executeTimed,
  timedPlan,
  timedSteps,
} from "../../src/testing/timed-plan.ts";

const beganTooEarly = (steps: readonly TimedStep[], { spans }: TimedRun): readonly string[] =>
  steps.flatMap(({ id, needs }) =>
    needs
      .filter((need) => (spans.get(need)?.toMs ?? Number.POSITIVE_INFINITY) > (spans.get(id)?.fromMs ?? -1))
      .map((need) => `${id} before the end of ${need}`),
  );

const mostAtOnce = ({ spans }: TimedRun): number => {
  const list = [...spans.values()];
  return Math.max(...list.map(({ fromMs: at }) => list.filter(({ fromMs, toMs }) => fromMs <= at && at < toMs).length));
};

describe("the scheduler", () => {
  it("executes every step of any graph once, each after all that it needs, and no more at once than it may", async () => {
    await fc.assert(
      fc.asyncProperty(timedSteps(30), fc.integer({ min: 1, max: 6 }), async (steps, concurrency) => {
        const run = await executeTimed(steps, concurrency);
        expect(run.record.state).toBe("succeeded");
        expect(run.record.steps.every(({ state, attempt }) => state === "done" && attempt === 1)).toBe(true);
        expect(beganTooEarly(steps, run)).toEqual([]);
        expect(mostAtOnce(run)).toBeLessThanOrEqual(concurrency);
      }),
      { numRuns: 60 },
    );
  });

  it("takes exactly as long as the longest way when nothing limits it", async () => {
    await fc.assert(
      fc.asyncProperty(timedSteps(30), async (steps) => {
        const { makespanMs } = await executeTimed(steps, steps.length);
        expect(makespanMs).toBe(boundsOf(steps).longestWayMs);
      }),
      { numRuns: 60 },
    );
  });

  it("never idles while something is ready: its makespan keeps Graham's bound", async () => {
    await fc.assert(
      fc.asyncProperty(timedSteps(40), fc.integer({ min: 1, max: 6 }), async (steps, concurrency) => {
        const { makespanMs } = await executeTimed(steps, concurrency);
        const { longestWayMs, workMs } = boundsOf(steps);
        expect(makespanMs).toBeGreaterThanOrEqual(Math.max(longestWayMs, workMs / concurrency));
        expect(makespanMs).toBeLessThanOrEqual(workMs / concurrency + longestWayMs * (1 - 1 / concurrency));
      }),
      { numRuns: 60 },
    );
  });

  it("stays within five percent of the bound over many graphs, since it begins with the longest way", async () => {
    const graphs = fc.sample(timedSteps(60), { numRuns: 120, seed: 20_260_301 }).filter(({ length }) => length > 5);
    let made = 0;
    let bound = 0;
    for (const steps of graphs) {
      const { makespanMs } = await executeTimed(steps, 4);
      const { longestWayMs, workMs } = boundsOf(steps);
      made += makespanMs;
      bound += Math.max(longestWayMs, workMs / 4);
    }
    expect(graphs.flat().length).toBeGreaterThan(2000);
    expect(made / bound).toBeLessThan(1.05);
  });
});

type LimitedCase = { readonly steps: readonly TimedStep[]; readonly limits: Concurrency };

const span = (min: number, max: number) => fc.integer({ min, max });

/** Components that are restored, then checked, on machines with a shared disk and a shared server. */
const limitedCases = (min: number, max: number): fc.Arbitrary<LimitedCase> =>
  fc.record({
    limits: fc.record({
      host: span(2, 8),
      kinds: fc.record({ restore: span(1, 4), check: span(1, 4) }),
      resources: fc.record({ nas: span(1, 3), db1: span(1, 3) }),
    }),
    steps: fc
      .array(
        fc.record({
          restoreMs: span(100, 3000),
          checkMs: span(50, 800),
          resources: fc.constantFrom([], ["nas"], ["db1"], ["nas", "db1"]),
          after: fc.option(fc.nat(), { freq: 3 }),
        }),
        { minLength: min, maxLength: max, size: "max" },
      )
      .map((drawn) =>
        drawn.flatMap(({ restoreMs, checkMs, resources, after }, index): readonly TimedStep[] => [
          { id: `restore${index}`, needs: [], durationMs: restoreMs, kind: "restore", resources },
          {
            id: `check${index}`,
            needs: [`restore${index}`, ...(after === null || index === 0 ? [] : [`check${after % index}`])],
            durationMs: checkMs,
            kind: "check",
            resources,
          },
        ]),
      ),
  });

const limitsOfCase = ({ steps, limits }: LimitedCase) => {
  const { intent } = timedPlan(steps, { limits });
  const { capacities, of } = stepLimits(intent);
  const known = new Map<string, readonly number[]>(intent.steps.map((step) => [step.id, of(step)]));
  return { capacities, limitsOf: (id: string) => known.get(id) ?? [] };
};

const beyondLimits = ({ steps, limits }: LimitedCase, { spans }: Pick<TimedRun, "spans">): readonly string[] => {
  const { capacities, limitsOf } = limitsOfCase({ steps, limits });
  return [...spans].flatMap(([id, { fromMs: at }]) =>
    limitsOf(id)
      .filter((limit) => {
        const beside = [...spans].filter(
          ([other, { fromMs, toMs }]) => limitsOf(other).includes(limit) && fromMs <= at && at < toMs,
        );
        return beside.length > (capacities[limit] ?? 0);
      })
      .map((limit) => `${id} goes beyond limit ${limit}`),
  );
};

/** No scheduler ends before the longest way, nor before a limit has let all of its work through, between what comes before and after it. */
const boundUnderLimits = ({ steps, limits }: LimitedCase): number => {
  const { capacities, limitsOf } = limitsOfCase({ steps, limits });
  const head = new Map<string, number>();
  const tail = new Map<string, number>();
  const get = (map: ReadonlyMap<string, number>, id: string): number => map.get(id) ?? 0;
  const durations = new Map(steps.map(({ id, durationMs }) => [id, durationMs]));
  for (const { id, needs } of steps)
    head.set(id, Math.max(0, ...needs.map((need) => get(head, need) + get(durations, need))));
  for (const { id, needs, durationMs } of steps.toReversed())
    for (const need of needs) tail.set(need, Math.max(get(tail, need), get(tail, id) + durationMs));
  const perLimit = capacities.map((capacity, limit) => {
    const bound = steps.filter(({ id }) => limitsOf(id).includes(limit));
    if (bound.length === 0) return 0;
    const work = bound.reduce((sum, { durationMs }) => sum + durationMs, 0);
    return (
      Math.min(...bound.map(({ id }) => get(head, id))) +
      work / capacity +
      Math.min(...bound.map(({ id }) => get(tail, id)))
    );
  });
  return Math.max(...perLimit, boundsOf(steps).longestWayMs);
};

describe("declared limits", () => {
  it("are never exceeded, of the machine, a kind or a resource, and every step is done", async () => {
    await fc.assert(
      fc.asyncProperty(limitedCases(1, 15), async (drawn) => {
        const run = await executeTimed(drawn.steps, 8, { limits: drawn.limits });
        expect(run.record.state).toBe("succeeded");
        expect(beganTooEarly(drawn.steps, run)).toEqual([]);
        expect(beyondLimits(drawn, run)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it("cost at most five percent more than the bound that they set, over many plans", () => {
    const cases = fc.sample(limitedCases(20, 80), { numRuns: 150, seed: 20_260_301 });
    let made = 0;
    let bound = 0;
    let within = 0;
    for (const drawn of cases) {
      const { intent } = timedPlan(drawn.steps, { limits: drawn.limits });
      const durations = new Map<string, number>(drawn.steps.map(({ id, durationMs }) => [id, durationMs]));
      const makespanMs = simulateRun(intent, (id) => durations.get(id) ?? 0).endMs;
      const boundMs = boundUnderLimits(drawn);
      expect(makespanMs).toBeGreaterThanOrEqual(boundMs - 0.001);
      made += makespanMs;
      bound += boundMs;
      if (makespanMs <= boundMs * 1.05) within += 1;
    }
    expect(made / bound).toBeLessThan(1.05);
    expect(within / cases.length).toBeGreaterThan(0.75);
  });

  it("are forecast by the order in which the engine then takes the steps", async () => {
    await fc.assert(
      fc.asyncProperty(limitedCases(1, 15), async ({ steps, limits }) => {
        const { intent } = timedPlan(steps, { limits });
        const durations = new Map<string, number>(steps.map(({ id, durationMs }) => [id, durationMs]));
        const planned = simulateRun(intent, (id) => durations.get(id) ?? 0);
        const { makespanMs } = await executeTimed(steps, 8, { limits });
        expect(makespanMs).toBe(planned.endMs);
      }),
      { numRuns: 30 },
    );
  });

  it("let what a step of high priority needs go first, whatever takes longer", async () => {
    const steps: readonly TimedStep[] = [
      { id: "long", needs: [], durationMs: 900, resources: ["nas"] },
      { id: "first", needs: [], durationMs: 10, resources: ["nas"] },
      { id: "urgent", needs: ["first"], durationMs: 10, kind: "check" },
      { id: "after", needs: ["long"], durationMs: 500, kind: "check" },
    ];
    const declared = { limits: { resources: { nas: 1 } } };
    const began = async (rules: Parameters<typeof executeTimed>[2]): Promise<number | undefined> =>
      (await executeTimed(steps, 8, { ...declared, ...rules })).spans.get("urgent")?.fromMs;
    expect(await began({})).toBe(910);
    expect(await began({ steps: { urgent: { priority: 5 } } })).toBe(10);
  });
});
