/** What the scheduler makes of any graph: order, parallelism, and a makespan near the bound that no scheduler can beat. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TimedRun, type TimedStep, boundsOf, executeTimed, timedSteps } from "../../src/testing/timed-plan.ts";

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
