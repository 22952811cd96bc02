/** A run as it goes on, by its events: frames on a terminal, a line for each step that changed elsewhere. */
import type { Workbench } from "../core/ports/workbench.ts";
import { type RunView, advanceRunView, beginRunView } from "../core/run-view/run-view.ts";
import type { Plan } from "../model/plan.ts";
import type { RunEvent, RunRecord } from "../model/run.ts";
import { renderRunFrame, renderRunLine, renderStepLine } from "../render/run-frame.ts";
import type { Screen } from "../render/screen.ts";
import { showProgress } from "./live-progress.ts";
import type { Output } from "./output.ts";

export type RunProgress = {
  readonly apply: (event: RunEvent) => void;
  readonly stop: () => void;
};

/** `record`: of one that is taken up again; null for one that is new. */
export type KnownRun = { readonly plan: Plan; readonly record: RunRecord | null };

/**
 * @param known those that are executed together, new ones in the order in which they will be numbered; null for a run that only the vault
 * knows as yet: its plan is read when it speaks for the first time
 */
export const showRuns = (output: Output, bench: Workbench, known: readonly KnownRun[] | null): RunProgress => {
  const views: RunView[] = (known ?? []).map(({ plan, record }) => beginRunView(plan, record));
  const reading = new Set<number>();
  const now = (): string => bench.clock.now().toISOString();
  const screen = () => output.errorScreen(bench.host.timeZone);
  const all = (render: (view: RunView) => string, between: string): string =>
    views.length === 0 ? "reading the run from the vault ..." : views.map(render).join(between);
  const progress = showProgress(output, {
    frame: () => all((view) => renderRunFrame(view, now(), screen()), "\n"),
    line: () => all((view) => renderRunLine(view, now(), screen()), "; "),
  });
  /** Whose step it is, where there are several. */
  const named = ({ plan }: RunView, line: string): string =>
    views.length > 1 ? `${plan.intent.service.padEnd(widestName(views))} ${line}` : line;

  const readPlan = async (event: RunEvent): Promise<void> => {
    const { record, plan } = await (await bench.journal()).readRun(event.run);
    views.push(beginRunView(plan, record));
  };

  /** New runs speak for the first time in the order of their numbers. */
  const indexOf = ({ run }: RunEvent): number => {
    const index = views.findIndex((view) => view.run === run);
    return index >= 0 ? index : views.findIndex((view) => view.run === null);
  };

  return {
    apply: (event) => {
      const index = indexOf(event);
      const before = views[index];
      if (before === undefined) {
        // The picture is a convenience: where it cannot be drawn the run goes on, and its end is told by the journal.
        if (!reading.has(event.run)) void readPlan(event).catch(() => undefined);
        reading.add(event.run);
        return;
      }
      const view = advanceRunView(before, event);
      views[index] = view;
      if (event.type === "step" && event.state !== "pending")
        progress.told(named(view, renderStepLine(view, event.step, now(), screen())));
      if (event.type === "run" && event.message !== undefined) progress.told(`run ${event.run}: ${event.message}`);
    },
    stop: () => {
      progress.stop();
      // The frame is gone; what each step came to stays on the screen.
      if (output.live) for (const view of views) output.note(endedSteps(view, now(), screen()));
    },
  };
};

const widestName = (views: readonly RunView[]): number =>
  Math.max(...views.map(({ plan }) => plan.intent.service.length));

const endedSteps = (view: RunView, now: string, screen: Screen): string =>
  view.graph.order
    .filter((id) => view.steps.get(id)?.state !== "pending")
    .map((id) => renderStepLine(view, id, now, screen))
    .join("\n");
