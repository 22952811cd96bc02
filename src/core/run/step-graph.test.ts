import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StepId } from "../../model/identifiers.ts";
import type { Phase, PlanStep } from "../../model/plan.ts";
import { ReadyQueue } from "./ready-queue.ts";
import type { StepLimits } from "./step-limits.ts";
import { type StepGraph, buildStepGraph, descendantsOf, remainingPathMs, stageOf } from "./step-graph.ts";

const id = (text: string): StepId => text as StepId;

const step = (name: string, needs: readonly string[] = [], phase: Phase = "restore"): PlanStep => ({
  id: id(name),
  phase,
  needs: needs.map(id),
  action: { kind: "check", component: "db" },
});

const phases = ["restore", "validate", "decide", "cutover", "prove"] as const;

/** Graphs as planners make them: a need is before its step and not of a later stage. */
const graphs: fc.Arbitrary<StepGraph> = fc
  .array(fc.record({ phase: fc.constantFrom(...phases), needs: fc.array(fc.nat(), { maxLength: 4 }) }), {
    minLength: 1,
    maxLength: 25,
    size: "max",
  })
  .map((drawn) => {
    const steps: PlanStep[] = [];
    for (const [index, { phase, needs }] of drawn.entries()) {
      const possible = steps.filter((other) => stageOf(other.phase) <= stageOf(phase));
      const chosen = needs.flatMap((need) => possible[need % Math.max(1, possible.length)]?.id ?? []);
      steps.push({ ...step(`s${index}`, [], phase), needs: chosen });
    }
    return buildStepGraph(steps);
  });

const unlimited: StepLimits = { capacities: [], of: () => [] };

/** Takes and completes one step at a time until none is left. */
const walk = (graph: StepGraph, order: "forward" | "backward", steps = new Set(graph.order)): readonly StepId[] => {
  const queue = new ReadyQueue({ graph, steps, order, limits: unlimited });
  const walked: StepId[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) {
    walked.push(next);
    queue.complete(next);
  }
  return walked;
};

describe("a graph of steps", () => {
  it("is refused when a step needs what is not there, what comes later, or itself", () => {
    expect(() => buildStepGraph([step("a", ["moon"])])).toThrow("step a needs moon, which the plan has not");
    expect(() => buildStepGraph([step("a"), step("a")])).toThrow("the plan has two steps a");
    expect(() => buildStepGraph([step("a", ["a"])])).toThrow("steps of the plan wait for each other: a");
    expect(() => buildStepGraph([step("a", ["b"]), step("b", [], "cutover")])).toThrow(
      "step a needs b, which belongs to a later phase",
    );
  });

  it("knows all that stands on a step", () => {
    const graph = buildStepGraph([step("a"), step("b", ["a"]), step("c", ["b"]), step("d"), step("e", ["d", "c"])]);
    expect([...descendantsOf(graph, [id("a")])]).toEqual(["b", "c", "e"]);
    expect([...descendantsOf(graph, [id("b"), id("c")])]).toEqual(["e"]);
  });

  it("knows how long the way from a step to the end is", () => {
    const graph = buildStepGraph([step("a"), step("b", ["a"]), step("c", ["a"])]);
    const ms: Record<string, number> = { a: 1, b: 10, c: 100 };
    expect(Object.fromEntries(remainingPathMs(graph, (name) => ms[name] ?? 0))).toEqual({ a: 101, b: 10, c: 100 });
  });
});

describe("the queue of ready steps", () => {
  it("walks every graph whole, forward after the needs and stage by stage, backward after the dependents", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const forward = walk(graph, "forward");
        const backward = walk(graph, "backward");
        expect(forward.toSorted()).toEqual([...graph.steps.keys()].toSorted());
        expect(backward.toSorted()).toEqual(forward.toSorted());
        const stage = (name: StepId): number => stageOf(graph.steps.get(name)?.phase ?? "restore");
        for (const [walked, sign] of [
          [forward, 1],
          [backward, -1],
        ] as const) {
          for (const [name, needs] of graph.needs)
            for (const need of needs) expect(Math.sign(walked.indexOf(name) - walked.indexOf(need))).toBe(sign);
          const stages = walked.map(stage);
          expect(stages).toEqual(stages.toSorted((a, b) => sign * (a - b)));
        }
      }),
    );
  });

  it("counts steps that it was not given as complete", () => {
    fc.assert(
      fc.property(graphs, fc.infiniteStream(fc.boolean()), (graph, choice) => {
        const chosen = new Set(graph.order.filter(() => choice.next().value === true));
        expect(walk(graph, "forward", chosen).toSorted()).toEqual([...chosen].toSorted());
      }),
    );
  });

  it("gives the most urgent first and equals in the plan's order", () => {
    const graph = buildStepGraph([step("a"), step("b"), step("c"), step("d")]);
    const urgency: Record<string, number> = { a: 1, b: 5, c: 1, d: 9 };
    const queue = new ReadyQueue({
      graph,
      steps: new Set(graph.order),
      order: "forward",
      limits: unlimited,
      remainingMs: (name) => urgency[name] ?? 0,
    });
    expect([queue.take(), queue.take(), queue.take(), queue.take(), queue.take()]).toEqual([
      "d",
      "b",
      "a",
      "c",
      undefined,
    ]);
  });

  it("gives a step of high priority first, whatever takes longer, and nothing beyond a limit until a place is free", () => {
    const graph = buildStepGraph([step("a"), step("b"), step("c"), step("d")]);
    const lengths: Record<string, number> = { a: 9, b: 5, c: 7, d: 1 };
    const queue = new ReadyQueue({
      graph,
      steps: new Set(graph.order),
      order: "forward",
      limits: { capacities: [3, 1], of: ({ id: name }) => (name === "b" || name === "c" ? [0, 1] : [0]) },
      priorities: graph.order.map((name) => (name === "d" ? 1 : 0)),
      durationMs: (name) => lengths[name] ?? 0,
      remainingMs: (name) => lengths[name] ?? 0,
    });
    // d by its priority; then b, since b and c keep the narrow limit busy for longer than a takes.
    expect([queue.take(), queue.take(), queue.take(), queue.take()]).toEqual(["d", "b", "a", undefined]);
    queue.leave(id("a"));
    expect(queue.take()).toBeUndefined();
    queue.leave(id("b"));
    expect(queue.take()).toBe("c");
  });

  it("gives nothing while what is needed is not complete", () => {
    const graph = buildStepGraph([step("a"), step("b", ["a"])]);
    const queue = new ReadyQueue({ graph, steps: new Set(graph.order), order: "forward", limits: unlimited });
    expect([queue.take(), queue.take(), queue.stage]).toEqual(["a", undefined, 0]);
    queue.complete(id("a"));
    expect([queue.take(), queue.take()]).toEqual(["b", undefined]);
    queue.complete(id("b"));
    expect(queue.stage).toBeNull();
  });

  it("stays fast with many steps", () => {
    const steps = Array.from({ length: 10_000 }, (_, index) =>
      step(`s${index}`, index < 2 ? [] : [`s${index >> 1}`, `s${index >> 2}`]),
    );
    const graph = buildStepGraph(steps);
    expect(walk(graph, "forward")).toHaveLength(10_000);
    expect(walk(graph, "backward")).toHaveLength(10_000);
  });
});
