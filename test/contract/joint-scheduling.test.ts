/** How steps of several services share one machine: to the millisecond, on a virtual clock. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { jointQueue, laneOf, ownId } from "../../src/core/run/joint-graph.ts";
import { simulateQueue } from "../../src/core/run/scheduling.ts";
import { type TimedPart, executeTimedJoint, timedParts, timedSteps } from "../../src/testing/timed-plan.ts";

/** Three services: each may wait, with some of its steps, for those before it. */
const anyParts = fc
  .tuple(...["identity", "ledger", "shop"].map((service) => fc.tuple(fc.constant(service), timedSteps(8), fc.nat(7))))
  .map((parts) =>
    parts.map(([service, steps, waiting], index): TimedPart => ({
      service,
      steps: steps.map((step, at) => ({
        ...step,
        after: index > 0 && at >= waiting ? [parts[(waiting + at) % index]?.[0] ?? ""] : [],
      })),
    })),
  );

const predicted = (parts: readonly TimedPart[], concurrency: number): ReadonlyMap<string, number> => {
  const durationMs = (id: string): number =>
    parts
      .find(({ service }) => service === laneOf(id as never))
      ?.steps.find((step) => step.id === (ownId(id as never) as string))?.durationMs ?? 0;
  const { queue, graph } = jointQueue(
    timedParts(parts).map(({ intent }) => intent),
    { durationMs, concurrency },
  );
  const ends = new Map<string, number>();
  const { spanOf } = simulateQueue(queue.numbered);
  for (const id of graph.order) ends.set(laneOf(id), Math.max(ends.get(laneOf(id)) ?? 0, spanOf(id)?.toMs ?? 0));
  return ends;
};

it("takes as long as the plan foretells, whatever waits for what, and each service is there when it says", async () => {
  await fc.assert(
    fc.asyncProperty(anyParts, fc.integer({ min: 1, max: 4 }), async (parts, concurrency) => {
      expect(Object.fromEntries(await executeTimedJoint(parts, concurrency))).toEqual(
        Object.fromEntries(predicted(parts, concurrency)),
      );
    }),
    { numRuns: 60 },
  );
});

it("moves the data of two services side by side, where their runs in turn would take the sum", async () => {
  const parts: readonly TimedPart[] = [
    { service: "identity", steps: [{ id: "restore", needs: [], durationMs: 600 }] },
    {
      service: "shop",
      steps: [
        { id: "restore", needs: [], durationMs: 500 },
        { id: "check", kind: "check", needs: ["restore"], durationMs: 40, after: ["identity"] },
      ],
    },
  ];
  expect(Object.fromEntries(await executeTimedJoint(parts, 8))).toEqual({ identity: 600, shop: 640 });
});
