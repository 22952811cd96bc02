/** What the journal alone tells of a run, and that it contradicts itself nowhere: for runs whose processes were killed. */
import { expect } from "vitest";
import type { Journal } from "../../../src/core/ports/engine.ts";
import type { RunEvent, RunRecord, StepState } from "../../../src/model/run.ts";
import type { RunNumber } from "../../../src/model/identifiers.ts";
import { openInThreadJournal } from "../../../src/testing/in-thread-journal.ts";

export type Account = {
  readonly record: RunRecord;
  /** How often each step was finished. */
  readonly finished: ReadonlyMap<string, number>;
  /** How often the effect of each was found gone, so that it had to be brought about again. */
  readonly gone: ReadonlyMap<string, number>;
};

const read = async (journal: Journal, run: number): Promise<Account> => {
  const { record } = await journal.readRun(run as RunNumber);
  const events = await journal.events(run as RunNumber);
  const sequences = events.flatMap((event) => ("sequence" in event ? [event.sequence] : []));
  expect(sequences).toEqual(sequences.map((_, index) => index + 1));

  const stepEvents = events.filter((event): event is Extract<RunEvent, { type: "step" }> => event.type === "step");
  const last = new Map(stepEvents.map(({ step, state, attempt }) => [String(step), { state, attempt }]));
  for (const { id, state, attempt } of record.steps) {
    const told = last.get(id);
    // An end closes what had not begun, by the event of the run alone.
    if (told === undefined) expect(["pending", "cancelled", "skipped"], `step ${id}`).toContain(state);
    else if (state !== "cancelled") expect({ state, attempt }, `step ${id}`).toEqual(told);
  }
  const states = events.flatMap((event) => (event.type === "run" ? [event.state] : []));
  if (states.length > 0) expect(record.state).toBe(states.at(-1));

  const countOf = (which: StepState): ReadonlyMap<string, number> => {
    const counts = new Map<string, number>();
    for (const { step, state } of stepEvents) if (state === which) counts.set(step, (counts.get(step) ?? 0) + 1);
    return counts;
  };
  return { record, finished: countOf("done"), gone: countOf("pending") };
};

/** @param file of the journal @returns null when the run was killed before it was there */
export const accountOf = async (file: string, run: number): Promise<Account | null> => {
  const journal = openInThreadJournal(file);
  try {
    const there = (await journal.listRuns()).some(({ number }) => number === run);
    return there ? await read(journal, run) : null;
  } finally {
    await journal.close();
  }
};

/** It has succeeded, and no step was finished twice: so no name was switched twice. */
export const expectFinishedOnce = (account: Account | null): void => {
  expect(account?.record.state).toBe("succeeded");
  expect([...(account?.finished ?? [])].filter(([, count]) => count !== 1)).toEqual([]);
  expect(account?.record.steps.filter(({ state }) => state !== "done" && state !== "skipped")).toEqual([]);
};
