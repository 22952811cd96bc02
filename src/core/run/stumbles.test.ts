import { describe, expect, it } from "vitest";
import type { RunNumber, StepId } from "../../model/identifiers.ts";
import type { RunEvent, RunState, StepState } from "../../model/run.ts";
import { stumblesOf, takenUpMessage, warningMessage } from "./stumbles.ts";

const number = 42 as RunNumber;
const at = (second: number): string => new Date(Date.UTC(2026, 2, 1, 16, 0, second)).toISOString();

const run = (second: number, state: RunState, message?: string): RunEvent => ({
  type: "run",
  sequence: 1,
  at: at(second),
  run: number,
  state,
  ...(message === undefined ? {} : { message }),
});

const step = (second: number, state: StepState): RunEvent => ({
  type: "step",
  sequence: 1,
  at: at(second),
  run: number,
  step: "start:app" as StepId,
  state,
  attempt: 1,
});

const smooth = { retries: 0, interruptions: 0, redone: 0, edits: [], warnings: [], stoppedMs: 0 };

describe("stumblesOf", () => {
  it("finds none in a run that went well", () => {
    expect(stumblesOf([run(0, "running"), step(1, "running"), step(9, "done"), run(9, "succeeded")])).toEqual(smooth);
  });

  it("counts retries, steps that were made again, and warnings", () => {
    const events = [
      run(0, "running"),
      step(1, "running"),
      step(2, "retry-wait"),
      step(3, "running"),
      step(4, "done"),
      step(5, "pending"),
      run(6, "running", warningMessage("copying the run before its cutover failed: the disk is full")),
    ];
    expect(stumblesOf(events)).toEqual({
      ...smooth,
      retries: 1,
      redone: 1,
      edits: [],
      warnings: ["copying the run before its cutover failed: the disk is full"],
    });
  });

  it("measures how long nobody worked on an interrupted run", () => {
    const events = [
      run(0, "running"),
      step(5, "running"),
      // The take-up is one transaction: all of its events are of one instant.
      step(30, "interrupted"),
      run(30, "running", takenUpMessage(2)),
      step(31, "running"),
      run(35, "interrupted", "stopped on request"),
      run(40, "running", takenUpMessage(3)),
    ];
    expect(stumblesOf(events)).toEqual({ ...smooth, interruptions: 2, stoppedMs: 30_000 });
  });

  it("does not count the time that a person took to answer", () => {
    const events = [run(0, "running"), run(5, "waiting", "you approve"), run(50, "running", takenUpMessage(2))];
    expect(stumblesOf(events)).toMatchObject({ interruptions: 1, stoppedMs: 0 });
  });
});
