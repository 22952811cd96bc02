import { describe, expect, it } from "vitest";
import { recoveryPlan, stepIdOf, testPlan, testStep } from "../../testing/run-plans.ts";
import { planDigest } from "../planner/plan-digest.ts";
import { editStep } from "./edit-step.ts";

const id = stepIdOf("restore:db");

describe("the edit of a step", () => {
  it("makes another plan with another digest, and tells what held before", () => {
    const plan = recoveryPlan();
    const once = editStep(plan, id, "timeout", "6h");
    expect(once).toMatchObject({ from: null, to: "6h" });
    expect(once.plan.digest).toBe(planDigest(once.plan.intent));
    expect(once.plan.digest).not.toBe(plan.digest);
    expect(once.plan.intent.steps.filter((step, index) => step !== plan.intent.steps[index])).toEqual([
      { ...plan.intent.steps[0], rules: { timeout: "6h" } },
    ]);
    const twice = editStep(once.plan, id, "retries", '{"source.unreachable":20}');
    expect(twice).toMatchObject({ from: null, to: { "source.unreachable": 20 } });
    expect(twice.plan.intent.steps[0]?.rules).toEqual({ timeout: "6h", retries: { "source.unreachable": 20 } });
    expect(editStep(twice.plan, id, "timeout", "9h")).toMatchObject({ from: "6h", to: "9h" });
    // Back again it is the plan of before, by its digest too.
    expect(editStep(editStep(once.plan, id, "timeout", "9h").plan, id, "timeout", "6h").plan.digest).toBe(
      once.plan.digest,
    );
  });

  it("changes the instructions of a manual step, and of no other", () => {
    const manual = { kind: "manual", name: "Call", do: "Call Anna" } as const;
    const plan = testPlan({ steps: [testStep("manual:call", "decide", manual)] });
    const edited = editStep(plan, stepIdOf("manual:call"), "do", "Call 5");
    expect(edited).toMatchObject({ from: "Call Anna", to: "Call 5" });
    expect(edited.plan.intent.steps[0]?.action).toEqual({ ...manual, do: "Call 5" });
    expect(() => editStep(recoveryPlan(), id, "do", "it")).toThrow('"do" of restore:db cannot be edited');
    // A person who thinks shows no progress.
    expect(() => editStep(plan, stepIdOf("manual:call"), "heartbeat", "5m")).toThrow(
      '"heartbeat" of manual:call cannot be edited',
    );
  });

  it.each([
    ["component", "files", '"component" of restore:db cannot be edited'],
    ["timeout", "soon", "a duration is a number with a unit"],
    ["timeout", "0s", "nothing is done in no time"],
    ["retries", "-1", "retries of restore:db cannot be -1"],
    ["retries", '{"target.failed":3}', "after target.failed a step is never made again"],
    ["priority", "high", 'priority of restore:db cannot be "high"'],
    ["backoff", '{"initial":"1s"}', "backoff of restore:db cannot be"],
  ])("refuses %s %s", (field, value, message) => {
    expect(() => editStep(recoveryPlan(), id, field, value)).toThrow(message);
  });
});
