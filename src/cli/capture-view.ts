/** A capture as it goes on: which component is being read, how much of it, how fast. */
import { formatBytes, formatCount } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
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
  type Running = { readonly component: string; readonly beganMs: number; progress: Progress };
  /** In the order of their begin: of a service that stands still several are read at once. */
  const running = new Map<string, Running>();
  let isFrozen = false;

  const describe = ({ component, beganMs, progress }: Running): string => {
    const seconds = Math.max(0.001, (clock.monotonicMs() - beganMs) / 1000);
    return [
      component,
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

  const now = (): string => {
    const title = `capturing ${service}${isFrozen ? ", which is held still" : ""}: `;
    if (running.size > 0) return `${title}${[...running.values()].map(describe).join(", ")}`;
    return `${title}${finished.length === 0 ? "opening the vault" : "writing the point"}`;
  };

  const line = (): string => `${now()}  ${formatRunning(clock.monotonicMs() - beganMs)} gone`;

  const finish = (component: string, sizeBytes: number): string => {
    const current = running.get(component);
    running.delete(component);
    const took = current === undefined ? "" : `  ${formatRunning(clock.monotonicMs() - current.beganMs)}`;
    return `  done  ${component}  ${formatBytes(sizeBytes)}${took}`;
  };

  const kept = (text: string): string => {
    finished.push(text);
    return text;
  };

  const apply: CaptureView["apply"] = (event) => {
    switch (event.type) {
      case "begin":
        running.set(event.component, { component: event.component, beganMs: clock.monotonicMs(), progress: {} });
        return null;
      case "progress": {
        const current = running.get(event.component);
        if (current !== undefined) current.progress = event.progress;
        return null;
      }
      case "end":
        return kept(finish(event.component, event.sizeBytes));
      case "frozen":
        isFrozen = true;
        return null;
      case "thawed":
        isFrozen = false;
        return kept(`  ${service} goes on, held for ${formatDuration(event.heldMs)}`);
      case "warning":
        return null;
      default:
        return event satisfies never;
    }
  };

  return { apply, line, frame: () => [...finished, line()].join("\n") };
};
