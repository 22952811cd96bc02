/** Whether what is live is another side than that which rows were compared with. */
import { expect, it } from "vitest";
import { shopRun } from "../../../test/fixtures/shop-run.ts";
import type { RunNumber } from "../../model/identifiers.ts";
import type { RunRecord, StepRecord } from "../../model/run.ts";
import { sideChangedSince } from "./side-changed-since.ts";

const hour = (at: number): string => `2026-11-22T${String(at).padStart(2, "0")}:00:00.000Z`;

const switched = (number: number, step: Partial<StepRecord>, run: Partial<RunRecord> = {}): RunRecord =>
  shopRun({ number: number as RunNumber, endedAt: hour(20), ...run }, (id) =>
    id === "switch:db" ? { beganAt: hour(10), endedAt: hour(11), ...step } : {},
  );

const since = (at: number, ...runs: readonly RunRecord[]) => sideChangedSince(runs, "db", hour(at))?.number ?? null;

it("is so once a run has switched it, or an undo switched it back", () => {
  expect(since(9, switched(4, {}))).toBe(4);
  expect(since(12, switched(4, {}))).toBeNull();
  const undo = switched(5, { beganAt: hour(13), endedAt: hour(14) }, { purpose: "undo" });
  expect(since(12, undo, switched(4, {}, { state: "undone" }))).toBe(5);
  expect(since(15, undo, switched(4, {}, { state: "undone" }))).toBeNull();
  expect(sideChangedSince([switched(4, {})], "other", hour(9))).toBeNull();
});

it("is not so of a switch that was taken back, but for what was compared in between", () => {
  const back = switched(4, { state: "compensated" }, { state: "undone" });
  expect(since(9, back)).toBeNull();
  expect(since(12, back)).toBe(4);
  expect(since(21, back)).toBeNull();
  expect(since(21, switched(4, { state: "compensated" }, { state: "running", endedAt: null }))).toBe(4);
});

it("is not ruled out half way, and of a switch that was never begun", () => {
  expect(since(12, switched(4, { state: "interrupted", endedAt: null }, { state: "interrupted" }))).toBe(4);
  expect(since(9, switched(4, { state: "pending", beganAt: null, endedAt: null }))).toBeNull();
  expect(since(9, switched(4, { state: "skipped" }))).toBeNull();
});
