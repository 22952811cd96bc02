/** A capture as it goes on: which component is being read, how much of it, how fast. */
import { formatBytes, formatCount } from "../core/text/quantity.ts";
import type { Clock } from "../core/ports/environment.ts";
import type { Progress } from "../model/run.ts";
import type { CaptureEvent } from "../operations/capture.ts";
import { formatRunning } from "../render/clock-times.ts";
import type { ProgressView } from "./live-progress.ts";

export type CaptureView = ProgressView & {
  /** @returns a line worth keeping: a component is done */
  readonly apply: (event: CaptureEvent) => string | null;
};

export const createCaptureView = (service: string, clock: Pick<Clock, "monotonicMs">): CaptureView => {
  const beganMs = clock.monotonicMs();
  const finished: string[] = [];
  let current: { readonly component: string; readonly beganMs: number; progress: Progress } | null = null;

  const now = (): string => {
    if (current === null)
      return `capturing ${service}: ${finished.length === 0 ? "opening the vault" : "writing the point"}`;
    const { progress } = current;
    const seconds = Math.max(0.001, (clock.monotonicMs() - current.beganMs) / 1000);
    return [
      `capturing ${service}: ${current.component}`,
      ...(progress.bytesDone === undefined
        ? []
        : [
            `${formatBytes(progress.bytesDone)}${progress.bytesTotal === undefined ? "" : ` of ${formatBytes(progress.bytesTotal)}`}`,
            `${formatBytes(Math.round(progress.bytesDone / seconds))}/s`,
          ]),
      ...(progress.itemsDone === undefined
        ? []
        : [
            `${formatCount(progress.itemsDone)}${progress.itemsTotal === undefined ? "" : `/${formatCount(progress.itemsTotal)}`} ${progress.unit ?? ""}`.trim(),
          ]),
      ...(progress.note === undefined ? [] : [progress.note]),
    ].join("  ");
  };

  const line = (): string => `${now()}  ${formatRunning(clock.monotonicMs() - beganMs)} gone`;

  return {
    apply: (event) => {
      if (event.type === "begin") {
        current = { component: event.component, beganMs: clock.monotonicMs(), progress: {} };
        return null;
      }
      if (event.type === "progress") {
        if (current?.component === event.component) current.progress = event.progress;
        return null;
      }
      if (event.type === "warning") return null;
      const took = current === null ? "" : `  ${formatRunning(clock.monotonicMs() - current.beganMs)}`;
      current = null;
      const done = `  done  ${event.component}  ${formatBytes(event.sizeBytes)}${took}`;
      finished.push(done);
      return done;
    },
    line,
    frame: () => [...finished, line()].join("\n"),
  };
};
