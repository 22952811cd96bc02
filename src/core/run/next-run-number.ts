import type { RunRecord } from "../../model/run.ts";

/** The number that the next run will most likely get: for names that people read in a plan, never for what is made. */
export const nextRunNumber = (runs: readonly Pick<RunRecord, "number">[]): number =>
  Math.max(0, ...runs.map(({ number }) => number)) + 1;
