import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { at, eventsOf, shopPlan, shopRun, stoppedAt } from "../../../test/fixtures/shop-run.ts";
import type { RunRecord } from "../../model/run.ts";
import { runSpans } from "./run-spans.ts";

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

const spans = (record: RunRecord = shopRun()) =>
  runSpans({ record, plan: shopPlan, events: eventsOf(record), now: at(51), digest });

it("has one span for the run, below it one for each step, below that one for each attempt", () => {
  const all = spans();
  const [run] = all;
  expect(run).toMatchObject({
    traceId: "0b6b8a535a5e4d3c9d0c2f6b8a535a5e",
    parentSpanId: null,
    name: "recover",
    beganAt: at(0),
    endedAt: at(50.2),
    error: null,
  });
  expect(run?.attributes).toMatchObject({
    "refloat.service": "shop",
    "refloat.run.number": 42,
    "refloat.run.state": "succeeded",
  });
  const steps = all.filter(({ parentSpanId }) => parentSpanId === run?.spanId);
  expect(steps).toHaveLength(shopPlan.intent.steps.length);
  for (const step of steps) {
    const attempts = all.filter(({ parentSpanId }) => parentSpanId === step.spanId);
    expect(attempts).toHaveLength(step.name === "approve" ? 2 : 1);
    expect([attempts[0]?.beganAt, attempts.at(-1)?.endedAt]).toEqual([step.beganAt, step.endedAt]);
  }
  expect(new Set(all.map(({ spanId }) => spanId)).size).toBe(all.length);
  expect(all.every(({ spanId }) => /^[0-9a-f]{16}$/.test(spanId))).toBe(true);
});

it("is the same trace whoever makes it again, and another one for another run", () => {
  expect(spans()).toEqual(spans());
  const other = spans(shopRun({ uid: "11111111-5a5e-4d3c-9d0c-2f6b8a535a5e" }));
  expect(other.map(({ spanId }) => spanId).some((id) => spans().some(({ spanId }) => spanId === id))).toBe(false);
});

it("says what failed, in the run, the step and the attempt", () => {
  const error = { code: "step.check-failed", message: "22 tables" };
  const all = spans(shopRun({ state: "failed", endedAt: at(33) }, stoppedAt("check:db", { state: "failed", error })));
  expect(all.filter((span) => span.error !== null).map(({ name, error: told }) => [name, told?.type])).toEqual([
    ["recover", "step.check-failed"],
    ["check", "step.check-failed"],
    ["attempt", "step.check-failed"],
  ]);
});
