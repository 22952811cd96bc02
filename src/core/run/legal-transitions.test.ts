import { describe, expect, it } from "vitest";
import { runStates, stepStates } from "../../model/run.ts";
import { assertRunTransition, assertStepTransition, hasEnded, isLive, mayFollow } from "./legal-transitions.ts";

const run = { number: 42, state: "running" } as Parameters<typeof assertStepTransition>[0];

describe("the state machine", () => {
  it("lets a step reach every state from pending but the one that its run gives it", () => {
    const reached = new Set(["pending"]);
    for (const from of reached)
      for (const to of stepStates) if (mayFollow.step(from as (typeof stepStates)[number], to)) reached.add(to);
    // Given to what was never begun, when its run is cancelled.
    expect(stepStates.filter((state) => !reached.has(state))).toEqual(["cancelled"]);
  });

  it("never lets a step be done without having been running", () => {
    expect(stepStates.filter((from) => mayFollow.step(from, "done"))).toEqual(["running"]);
  });

  it("never lets what was taken back be done again", () => {
    expect(stepStates.filter((to) => mayFollow.step("compensated", to))).toEqual([]);
  });

  it("lets an ended run be taken up only where something can still be done", () => {
    const ended = runStates.filter(hasEnded);
    expect(ended.filter((state) => mayFollow.run(state, "running"))).toEqual(["failed", "undone", "needs-operator"]);
  });

  it("lets every state of a run be followed by itself: that is a note", () => {
    expect(runStates.every((state) => mayFollow.run(state, state))).toBe(true);
  });

  it("counts a run as live exactly while something may still act on what users meet", () => {
    expect(runStates.filter(isLive)).toEqual(["running", "waiting", "interrupted", "needs-operator"]);
  });

  it("says which transition it refuses", () => {
    expect(() => assertStepTransition(run, "switch:db", "compensated", "running")).toThrow(
      "step switch:db of run 42 cannot go from compensated to running",
    );
    expect(() => assertStepTransition({ ...run, state: "failed" }, "switch:db", "pending", "running")).toThrow(
      "step switch:db of run 42 cannot become running: the run is failed",
    );
    expect(() => assertRunTransition({ ...run, state: "cancelled" }, "running")).toThrow(
      "run 42 cannot go from cancelled to running",
    );
  });
});
