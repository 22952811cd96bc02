/**
 * What follows when a step cannot be done. Three places in a run, three answers: before the cutover live is untouched and the
 * run fails; in the cutover what was begun is taken back; once traffic may be on the new side only a person decides.
 */
import type { RunRecord } from "../../model/run.ts";
import { hasAdmitBegun, hasCutoverBegun } from "./resume-rules.ts";
import type { StepGraph } from "./step-graph.ts";

export type Consequence = "fail" | "undo" | "needs-operator";

/** @param record as it is when all other steps have settled */
export const consequenceOfFailure = (record: RunRecord, graph: StepGraph): Consequence =>
  hasAdmitBegun(record, graph) ? "needs-operator" : hasCutoverBegun(record, graph) ? "undo" : "fail";

export type BackoffLimits = { readonly firstMs: number; readonly longestMs: number };

export const defaultBackoff: BackoffLimits = { firstMs: 500, longestMs: 30_000 };

/** @param failures how often the step has failed in a row, from 1 */
export const backoffMs = (failures: number, limits: BackoffLimits = defaultBackoff): number =>
  Math.min(limits.firstMs * 2 ** (failures - 1), limits.longestMs);
