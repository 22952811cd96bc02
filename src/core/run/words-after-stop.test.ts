import { describe, expect, it } from "vitest";
import { shopPlan, shopRun, stoppedAt } from "../../../test/fixtures/shop-run.ts";
import type { RunRecord } from "../../model/run.ts";
import { wordsAfterStop } from "./words-after-stop.ts";

const words = (parts: Partial<RunRecord>, at: string, state: "interrupted" | "failed" = "interrupted") =>
  wordsAfterStop(shopRun(parts, stoppedAt(at, { state, attempt: 1 })), shopPlan.intent.steps);

const [resume, cancel, undo] = ["refloat resume 42", "refloat cancel 42", "refloat undo 42"];

describe("what can be typed about a run that has stopped", () => {
  it.each(["interrupted", "waiting", "failed"] as const)(
    "is to go on or to give up before the cutover: %s",
    (state) => {
      expect(words({ state }, "check:db")).toEqual([resume, cancel]);
    },
  );

  it("is both in the cutover as well, until somebody was let in to the new side", () => {
    expect(words({ state: "interrupted" }, "switch:db")).toEqual([resume, cancel]);
    expect(words({ state: "needs-operator" }, "switch:db", "failed")).toEqual([resume, cancel]);
  });

  it("is to go on or to put the old side back once somebody may have been let in", () => {
    expect(words({ state: "interrupted" }, "admit")).toEqual([resume]);
    expect(words({ state: "needs-operator" }, "probe", "failed")).toEqual([resume, undo]);
    expect(words({ state: "needs-operator", purpose: "undo" }, "probe", "failed")).toEqual([resume]);
  });

  it("is first what was asked for: one that was stopped while it was cancelled goes on with that", () => {
    expect(words({ state: "interrupted", direction: "cancel" }, "check:db")).toEqual([cancel, resume]);
  });

  it.each(["running", "succeeded", "committed", "cancelled", "undone"] as const)("is nothing of this: %s", (state) => {
    expect(words({ state }, "check:db")).toEqual([]);
  });
});
