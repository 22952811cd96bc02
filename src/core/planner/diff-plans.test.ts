import { describe, expect, it } from "vitest";
import { recoveryPlan, testPlan, testStep } from "../../testing/run-plans.ts";
import { diffPlans, intentChanges } from "./diff-plans.ts";

const restore = testStep("restore:db", "restore", { kind: "restore", component: "db" });
const start = testStep("start:app", "cutover", { kind: "start", component: "app", release: "kept" }, ["check:db"]);
const steps = [restore, testStep("check:db", "validate", { kind: "check", component: "db" }, ["restore:db"]), start];

describe("two plans", () => {
  it("do the same when their digests are equal, whatever is expected of them", () => {
    const plan = testPlan({ steps, durations: { "restore:db": 1000 } });
    const slower = testPlan({ steps, durations: { "restore:db": 9000 } });
    const diff = diffPlans(plan, slower);
    expect(diff).toMatchObject({ same: true, subject: [], declaration: [], steps: [] });
    expect(diff.durations).toEqual([{ step: "restore:db", fromMs: 1000, toMs: 9000 }]);
    expect(intentChanges(diff)).toEqual([]);
  });

  it("are told apart step by step", () => {
    const other = testPlan({
      steps: [
        restore,
        testStep("restore:files", "restore", { kind: "restore", component: "files" }),
        { ...start, needs: [], action: { kind: "start", component: "app", release: "restored" } },
      ],
    });
    const diff = diffPlans(testPlan({ steps }), other);
    expect(diff.steps.map(({ step, change, parts }) => [step, change, ...parts])).toEqual([
      ["restore:files", "added"],
      ["start:app", "changed", "needs", "action"],
      ["check:db", "removed"],
    ]);
    expect(intentChanges(diff)).toEqual([
      "restore:files is needed now",
      "start:app has other needs and action",
      "check:db is no longer possible or needed",
    ]);
  });

  it("declare the same where only keys in a list stand in another order", () => {
    const plan = recoveryPlan();
    const checked = (options: { readonly expect: string; readonly redis: string }) => {
      const checks = [{ kind: "redis", options, timeoutMs: 1 }];
      const cache = { name: "cache", type: "redis", dependsOn: [], uses: [], checks, options: {} };
      const declaration = { ...plan.intent.declaration, components: { cache } };
      return { ...plan, intent: { ...plan.intent, declaration } };
    };
    const before = checked({ expect: "1", redis: "GET a" });
    expect(diffPlans(before, checked({ redis: "GET a", expect: "1" })).declaration).toEqual([]);
    expect(diffPlans(before, checked({ redis: "GET a", expect: "2" })).declaration).toHaveLength(1);
  });

  it("tell what of the declaration is another, to the key, with what is lost and warned of", () => {
    const before = recoveryPlan();
    const after = {
      ...before,
      intent: { ...before.intent, declaration: { ...before.intent.declaration, objectives: { rto: "15m" } } },
      forecast: {
        ...before.forecast,
        loses: [{ component: "db", lostMs: 1000 }],
        warnings: [{ code: "x", message: "look out" }],
      },
    };
    const diff = diffPlans(before, after);
    expect(diff.declaration).toEqual([{ what: "objectives.rto", from: null, to: "15m" }]);
    expect(diff.losses).toEqual([{ component: "db", from: null, to: { component: "db", lostMs: 1000 } }]);
    expect(diff.warnings).toEqual({ gone: [], added: ["look out"] });
    expect(intentChanges(diff)).toEqual(["the declaration's objectives.rto was nothing and is 15m"]);
  });
});
