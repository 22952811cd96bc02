import { describe, expect, it } from "vitest";
import type { Phase, PlanStep, StepAction } from "../../model/plan.ts";
import type { RunRecord, StepRecord, StepState } from "../../model/run.ts";
import { backoffMs, consequenceOfFailure } from "./failure-rules.ts";
import { actOnResume, hasAdmitBegun, stepsToTakeBack } from "./resume-rules.ts";
import { buildStepGraph } from "./step-graph.ts";

const step = (id: string, phase: Phase, action: StepAction): PlanStep => ({
  id: id as PlanStep["id"],
  phase,
  needs: [],
  action,
});

const graph = buildStepGraph([
  step("restore", "restore", { kind: "restore", component: "db" }),
  step("try", "validate", { kind: "try", component: "app", release: "kept" }),
  step("hold", "cutover", { kind: "hold" }),
  step("switch", "cutover", { kind: "switch", component: "db" }),
  step("start", "cutover", { kind: "start", component: "app", release: "kept" }),
  step("admit", "cutover", { kind: "admit" }),
  step("probe", "prove", { kind: "probe" }),
]);

/** Steps in the order of the graph; what was not named has not begun. */
const runWith = (...states: readonly StepState[]): RunRecord =>
  ({
    state: "running",
    steps: graph.order.map((id, index): Partial<StepRecord> => {
      const state = states[index] ?? "pending";
      return { id, state, attempt: state === "pending" ? 0 : 1 };
    }),
  }) as RunRecord;

const acts = (run: RunRecord) => Object.fromEntries(actOnResume(run, graph));

describe("what resume does with each step", () => {
  it("asks what is done and goes on with what is not", () => {
    expect(acts(runWith("done", "interrupted"))).toMatchObject({ restore: "ask", try: "go-on", hold: "go-on" });
  });

  it("asks nothing from before the cutover once that has begun: its instances are being renamed", () => {
    expect(acts(runWith("done", "done", "interrupted"))).toMatchObject({
      restore: "leave",
      try: "leave",
      hold: "go-on",
    });
    expect(acts(runWith("done", "done", "done", "done", "done"))).toMatchObject({
      restore: "leave",
      hold: "ask",
      switch: "ask",
      start: "ask",
      admit: "go-on",
    });
  });

  it("does not ask for held traffic once admitting has begun", () => {
    expect(acts(runWith("done", "done", "done", "done", "done", "interrupted"))).toMatchObject({
      hold: "leave",
      switch: "ask",
      start: "ask",
      admit: "go-on",
    });
  });

  it.each<StepState>(["retry-wait", "waiting", "failed", "needs-operator", "interrupted"])(
    "tries again what is %s",
    (state) => {
      expect(acts(runWith(state))["restore"]).toBe("go-on");
    },
  );

  it.each<StepState>(["skipped", "cancelled", "compensated"])("leaves what is %s", (state) => {
    expect(acts(runWith(state))["restore"]).toBe("leave");
  });
});

describe("what follows from a failure", () => {
  it.each<[string, readonly StepState[], string]>([
    ["nothing of the cutover has begun", ["done", "failed"], "fail"],
    ["a step of the cutover could not be prepared, and none had begun", ["done", "done"], "fail"],
    ["a step of the cutover has begun", ["done", "done", "failed"], "undo"],
    ["all but admitting was done", ["done", "done", "done", "done", "failed"], "undo"],
    ["admitting has begun", ["done", "done", "done", "done", "done", "failed"], "needs-operator"],
    ["the probe failed", ["done", "done", "done", "done", "done", "done", "failed"], "needs-operator"],
  ])("when %s", (_, states, consequence) => {
    expect(consequenceOfFailure(runWith(...states), graph)).toBe(consequence);
  });

  it.each<[string, readonly StepState[], string]>([
    ["a name was switched and its application not started", ["done", "failed"], "undo"],
    ["users are on the new side and the probe failed", ["done", "done", "failed"], "needs-operator"],
    ["an application is gone again after the probe had begun", ["done", "pending", "interrupted"], "needs-operator"],
    ["all of it was taken back", ["compensated", "compensated", "compensated"], "fail"],
  ])("when nothing holds traffic and %s", (_, states, consequence) => {
    const open = buildStepGraph([
      step("switch", "cutover", { kind: "switch", component: "db" }),
      step("start", "cutover", { kind: "start", component: "app", release: "kept" }),
      step("probe", "prove", { kind: "probe" }),
    ]);
    const run = runWith(...states);
    const steps = [...open.order].map((id, index) => ({ ...run.steps[index], id }) as StepRecord);
    expect(consequenceOfFailure({ ...run, steps }, open)).toBe(consequence);
  });

  it("does not count as begun what was taken back", () => {
    expect(consequenceOfFailure(runWith("done", "done", "compensated"), graph)).toBe("fail");
  });

  it("takes the cutover back for an undo and everything for a cancel, and nothing that never began", () => {
    const run = runWith("done", "interrupted", "done", "failed");
    expect([...stepsToTakeBack(run, graph, "undo")]).toEqual(["hold", "switch"]);
    expect([...stepsToTakeBack(run, graph, "cancel")]).toEqual(["restore", "try", "hold", "switch"]);
  });

  it("waits twice as long after each failure, up to a limit", () => {
    expect([1, 2, 3, 4, 9, 99].map((failures) => backoffMs(failures, { firstMs: 500, longestMs: 3000 }))).toEqual([
      500, 1000, 2000, 3000, 3000, 3000,
    ]);
  });
});

describe("whether users may be on the other side", () => {
  it("waits, where nothing admits them, for the side that an undo of a way home puts back", () => {
    const back = buildStepGraph([
      step("switch", "cutover", { kind: "switch", component: "db" }),
      step("reinstate", "cutover", { kind: "reinstate", component: "db" }),
    ]);
    const states = (...all: readonly StepState[]): RunRecord =>
      ({
        state: "running",
        steps: back.order.map((id, index) => ({ id, state: all[index], attempt: 1 })),
      }) as RunRecord;
    expect(hasAdmitBegun(states("done", "failed"), back)).toBe(false);
    expect(hasAdmitBegun(states("done", "done"), back)).toBe(true);
  });
});
