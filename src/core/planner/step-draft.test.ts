import { describe, expect, it } from "vitest";
import { largeRecovery, largeService } from "../../../bench/orchestration/large-service.ts";
import { planRecovery } from "./plan-recovery.ts";
import { createStepDraft } from "./step-draft.ts";

const component = (index: number): string => `c${index}`;

describe("createStepDraft", () => {
  it("leaves out needs that others imply, however long the way", () => {
    const draft = createStepDraft();
    const restore = draft.add("restore", { kind: "restore", component: "db" }, []);
    const check = draft.add("validate", { kind: "check", component: "db" }, [restore]);
    const tried = draft.add("validate", { kind: "try", component: "app", release: "kept" }, [check]);
    const other = draft.add("restore", { kind: "restore", component: "files" }, []);
    draft.add("cutover", { kind: "hold" }, [restore, tried, other]);
    expect(draft.steps().at(-1)?.needs).toEqual(["restore:files", "try:app"]);
  });

  it("names each of few steps that many wait for, and one wait where there are many", () => {
    const few = createStepDraft();
    for (let index = 0; index < 3; index += 1) few.add("restore", { kind: "restore", component: component(index) }, []);
    expect(few.gate("cutover", "fenced", 3)).toEqual(["restore:c0", "restore:c1", "restore:c2"]);
    const many = createStepDraft();
    for (let index = 0; index < 100; index += 1)
      many.add("restore", { kind: "restore", component: component(index) }, []);
    expect(many.gate("cutover", "fenced", 100)).toEqual(["wait:fenced"]);
    expect(many.steps().at(-1)?.needs).toHaveLength(100);
  });

  it("keeps a plan in proportion to its components", () => {
    const sizeOf = (components: number) => {
      const { steps } = planRecovery(largeRecovery(largeService(components))).intent;
      return { steps: steps.length, needs: steps.reduce((sum, { needs }) => sum + needs.length, 0) };
    };
    const [small, large] = [sizeOf(500), sizeOf(2_000)];
    expect(large.steps / small.steps).toBeCloseTo(4, 1);
    expect(large.needs / small.needs).toBeLessThan(5);
  });
});
