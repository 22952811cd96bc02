import { describe, expect, it } from "vitest";
import { at, began, done, failed, moved, shopPlan, shopRun, stoppedAt } from "../../../test/fixtures/shop-run.ts";
import type { StepId } from "../../model/identifiers.ts";
import type { RunEvent } from "../../model/run.ts";
import {
  type RunView,
  advanceRunView,
  beginRunView,
  decidingPath,
  runRemainingMs,
  stepRemainingMs,
} from "./run-view.ts";

const fold = (events: readonly RunEvent[], view: RunView = beginRunView(shopPlan, null)): RunView =>
  events.reduce(advanceRunView, view);
const stepOf = (view: RunView, id: string) => {
  const step = view.steps.get(id as StepId);
  if (step === undefined) throw new Error(`no step ${id}`);
  return step;
};

describe("the view of a run", () => {
  it("follows steps through their states and keeps what they said", () => {
    const view = fold([began(1, 0, "restore:db"), done(2, 29, "restore:db"), began(3, 29, "check:db")]);
    expect(view.run).toBe(42);
    expect(view.beganAt).toBe(at(0));
    expect(stepOf(view, "restore:db")).toMatchObject({ state: "done", durationMs: 29_000 });
    expect(stepOf(view, "restore:db").output).toMatchObject({ instance: "shop_r42" });
    expect(stepOf(view, "check:db")).toMatchObject({ state: "running", beganAt: at(29) });
    expect(stepOf(view, "probe").state).toBe("pending");
  });

  it("forgets an error when the step is tried again", () => {
    const once = fold([began(1, 0, "check:db"), failed(2, 1, "check:db", "no")]);
    expect(stepOf(once, "check:db").error?.message).toBe("no");
    expect(stepOf(fold([began(3, 2, "check:db")], once), "check:db").error).toBeNull();
  });

  it("takes a run up where its record is", () => {
    const view = beginRunView(
      shopPlan,
      shopRun({ state: "interrupted" }, stoppedAt("check:db", { state: "interrupted" })),
    );
    expect(stepOf(view, "restore:db").state).toBe("done");
    expect(stepOf(view, "check:db").state).toBe("interrupted");
    expect(decidingPath(view, at(40))[0]).toBe("check:db");
  });

  it("ignores steps that the plan does not have", () => {
    const view = beginRunView(shopPlan, null);
    expect(fold([began(1, 0, "restore:nothing")]).steps).toEqual(view.steps);
  });
});

describe("time left", () => {
  it("is that of the forecast before anything moves", () => {
    const view = fold([began(1, 0, "restore:db")]);
    const forecast = shopPlan.forecast.steps["restore:db"]?.durationMs ?? 0;
    expect(stepRemainingMs(view, stepOf(view, "restore:db"), at(0))).toBe(forecast);
    expect(runRemainingMs(view, at(0))).toBeCloseTo(shopPlan.forecast.totalMs.likely, -1);
  });

  it("comes from the rate once bytes flow, and is smoothed", () => {
    const steady = [1, 2, 3, 4, 5].map((second) => moved(second, "restore:db", second * 38_000_000, second));
    const view = fold([began(1, 0, "restore:db"), ...steady]);
    expect(stepOf(view, "restore:db").bytesPerSecond).toBe(38_000_000);
    expect(stepRemainingMs(view, stepOf(view, "restore:db"), at(5))).toBeCloseTo((910 / 38) * 1000, 0);
    const burst = fold([moved(6, "restore:db", 190_000_000 + 138_000_000, 6)], view);
    expect(stepOf(burst, "restore:db").bytesPerSecond).toBeCloseTo(68_000_000, 0);
  });

  it("never goes below zero and does not divide by a restart of the count", () => {
    const view = fold([
      began(1, 0, "restore:db"),
      moved(1, "restore:db", 500_000_000, 3),
      moved(2, "restore:db", 10, 0),
      moved(2, "restore:db", 20, 0),
    ]);
    expect(stepOf(view, "restore:db").bytesPerSecond).toBeNull();
    expect(runRemainingMs(view, at(1_000))).toBeGreaterThan(0);
    const all = fold(shopPlan.intent.steps.map(({ id }, index) => done(index, index, id)));
    expect(runRemainingMs(all, at(60))).toBe(0);
    expect(decidingPath(all, at(60))).toEqual([]);
  });

  it("counts a late step as nearly done, not as done", () => {
    const view = fold([began(1, 0, "switch:db")]);
    expect(stepRemainingMs(view, stepOf(view, "switch:db"), at(100))).toBe(1_000);
  });
});
