/** A time that was measured against the one that was declared. */
import { parseDuration } from "../time/duration.ts";

export type Objective = { readonly objectiveMs: number | null; readonly met: boolean | null };

export const met = (actualMs: number, objective: string | undefined): Objective => {
  const objectiveMs = objective === undefined ? null : (parseDuration(objective) ?? null);
  return { objectiveMs, met: objectiveMs === null ? null : actualMs <= objectiveMs };
};

/** Of a time that lies between two: not known where the objective does too. */
export const metAtMost = (mostMs: number, leastMs: number, objective: string | undefined): Objective => {
  const judged = met(mostMs, objective);
  return judged.met === false && met(leastMs, objective).met === true ? { ...judged, met: null } : judged;
};

/** Milliseconds; 0 where the clock went backwards. */
export const elapsed = (from: string, to: string): number => Math.max(0, Date.parse(to) - Date.parse(from));
