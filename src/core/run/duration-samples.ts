import type { RunRecord } from "../../model/run.ts";
import type { DurationSample } from "../planner/planner-input.ts";

/** What earlier runs measured, for forecasts. Only steps that did their work count: a failed one says nothing about a good one. */
export const durationSamples = (runs: readonly RunRecord[]): readonly DurationSample[] =>
  runs.flatMap((run) =>
    run.steps
      .filter(({ state, durationMs, output }) => state === "done" && durationMs > 0 && output?.["kept"] !== true)
      .map(({ id, durationMs, output }) => {
        const sizeBytes = output?.["sizeBytes"];
        return { run: run.number, step: id, durationMs, ...(typeof sizeBytes === "number" ? { sizeBytes } : {}) };
      }),
  );
