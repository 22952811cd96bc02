/** The picture of a run that goes on: what is done, what moves and how fast, what comes next, how long it still takes, how to stop it. */
import { formatBytes, formatCount } from "../core/text/quantity.ts";
import {
  type RunView,
  type StepView,
  fractionDone,
  isRunning,
  decidingPath,
  runRemainingMs,
  stepRemainingMs,
} from "../core/run-view/run-view.ts";
import type { StepId } from "../model/identifiers.ts";
import type { StepState } from "../model/run.ts";
import { formatRunning, formatTime } from "./clock-times.ts";
import { cutText, padEnd, textWidth, wrapText } from "./fit-text.ts";
import { type Screen, type Style, asTypedOn, lines, printable } from "./screen.ts";
import { describeResult } from "./step-result.ts";

const barWidth = 12;

/** More than these would push the plan out of a small terminal. */
const shownDone = 8;

const words = {
  pending: { word: "next", style: "dim" },
  running: { word: "now", style: "cyan" },
  "retry-wait": { word: "again", style: "yellow" },
  waiting: { word: "waits", style: "yellow" },
  interrupted: { word: "stop", style: "yellow" },
  done: { word: "done", style: "green" },
  failed: { word: "FAIL", style: "red" },
  skipped: { word: "skip", style: "dim" },
  cancelled: { word: "skip", style: "dim" },
  compensating: { word: "undo", style: "cyan" },
  compensated: { word: "back", style: "yellow" },
  "needs-operator": { word: "HELP", style: "red" },
} as const satisfies Record<StepState, { readonly word: string; readonly style: Style }>;

/** @param now ISO 8601 */
export const renderRunFrame = (view: RunView, now: string, screen: Screen): string => {
  const all = [...view.steps.values()];
  const ended = endedFirst(
    all.filter(({ state }) => state !== "pending" && !isRunning({ state } as StepView)),
    view,
  );
  const active = all.filter(isRunning);
  const hidden = ended.length - shownDone;
  const path = new Set<StepId>(decidingPath(view, now));
  return lines(
    headline(view, now, screen),
    hidden > 0 ? screen.paint("dim", `  ... ${hidden} steps more are done`) : null,
    ended.slice(Math.max(0, hidden)).map((step) => stepLine(view, step, now, screen, false)),
    active.map((step) => stepLine(view, step, now, screen, path.has(step.id))),
    nextSteps(view, now, screen),
    howToStop(view, screen).map((line) => screen.paint("dim", line)),
  );
};

/** One line for a step whose state has changed: for logs and terminals without frames. Never cut: an error stands whole in a log. */
export const renderStepLine = (view: RunView, id: StepId, now: string, screen: Screen): string => {
  const step = view.steps.get(id);
  if (step === undefined) return "";
  return printable(stepLine(view, step, now, { ...screen, width: Number.POSITIVE_INFINITY }, false));
};

/** The whole run in one line: for a log that has heard nothing for a while. */
export const renderRunLine = (view: RunView, now: string, screen: Screen): string => {
  const active = [...view.steps.values()].filter(isRunning);
  const doing = active.map((step) => [titleOf(view, step.id), ...amounts(step)].join(" "));
  return printable([headline(view, now, screen), ...doing].join("; "));
};

const titleOf = (view: RunView, id: StepId): string => view.plan.forecast.steps[id]?.title ?? id;

const titleWidth = (view: RunView): number =>
  Math.min(28, Math.max(...view.plan.intent.steps.map(({ id }) => textWidth(titleOf(view, id)))));

/** In the order in which they came to an end, as far as it is known. */
const endedFirst = (steps: readonly StepView[], view: RunView): readonly StepView[] => {
  const order = new Map(view.graph.order.map((id, index) => [id, index]));
  return steps.toSorted(
    (a, b) =>
      Number(a.state !== "done") - Number(b.state !== "done") || (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0),
  );
};

const headline = (view: RunView, now: string, screen: Screen): string => {
  const { intent } = view.plan;
  const whole = intent.scope.length === Object.keys(intent.declaration.components).length;
  const scope =
    intent.undoes === null ? (whole ? "" : `, only ${intent.scope.join(", ")}`) : `, undo of run ${intent.undoes.run}`;
  // Where a log leads on, the latest moment is what was asked for.
  const moments = [intent.point?.consistentAt ?? [], ...Object.values(intent.replays ?? {}).map(({ at }) => at)].flat();
  const latest = moments.toSorted((one, other) => Date.parse(one) - Date.parse(other)).at(-1);
  const to = latest === undefined ? "" : `, to ${formatTime(latest, now, screen.timeZone)}`;
  const gone = view.beganAt === null ? "" : `   ${formatRunning(Date.parse(now) - Date.parse(view.beganAt))} gone`;
  const left =
    view.state !== "running" || !goesForward(view) || waits(view)
      ? ""
      : `, about ${formatRunning(runRemainingMs(view, now))} left`;
  return `${screen.paint("bold", `run ${view.run ?? "-"}`)}  ${intent.service}${scope}${to}${gone}${left}`;
};

const waits = (view: RunView): boolean => [...view.steps.values()].some(({ state }) => state === "waiting");

const stopping: ReadonlySet<StepState> = new Set(["failed", "needs-operator", "compensating", "compensated"]);

/** Once a step has failed, what was to come next will not come, and its time says nothing. */
const goesForward = (view: RunView): boolean => ![...view.steps.values()].some(({ state }) => stopping.has(state));

const stepLine = (view: RunView, step: StepView, now: string, screen: Screen, critical: boolean): string => {
  const { word, style } = words[step.state];
  const title = padEnd(titleOf(view, step.id), titleWidth(view));
  const head = `${critical ? "* " : "  "}${screen.paint(style, padEnd(word, 5))} ${title}`;
  const width = Math.max(20, screen.width - 8 - textWidth(title));
  if (isRunning(step)) return `${head}  ${cutText(movement(view, step, now), width)}`.trimEnd();
  const { said, tail } = outcome(view, step);
  // The words give way before the numbers do.
  const fitted = cutText(said, Math.max(12, width - textWidth(tail) - 2));
  return [head, fitted, tail].filter((part) => part !== "").join("  ");
};

const outcome = (view: RunView, step: StepView): { readonly said: string; readonly tail: string } => {
  const took = step.durationMs === null || step.state !== "done" ? "" : formatRunningOrTenths(step.durationMs);
  const said =
    step.error === null || step.state === "done" ? describeResult(view.plan, step.id, step.output) : step.error.message;
  const again = step.attempt > 1 ? `attempt ${step.attempt}` : "";
  return { said, tail: [again, took].filter((part) => part !== "").join("  ") };
};

/** Under a minute tenths tell fast from slow; above it they are noise. */
const formatRunningOrTenths = (ms: number): string => (ms < 60_000 ? `${(ms / 1000).toFixed(1)}s` : formatRunning(ms));

const movement = (view: RunView, step: StepView, now: string): string => {
  const fraction = fractionDone(step);
  const elapsed = step.beganAt === null ? "" : formatRunning(Date.parse(now) - Date.parse(step.beganAt));
  const left = stepRemainingMs(view, step, now);
  return [
    ...(fraction === null ? [] : [bar(fraction)]),
    ...amounts(step),
    ...(step.attempt > 1 ? [`attempt ${step.attempt}`] : []),
    fraction === null ? elapsed : `${formatRunning(left)} left`,
  ]
    .filter((part) => part !== "")
    .join("  ");
};

const bar = (fraction: number): string => {
  const full = Math.round(fraction * barWidth);
  return "█".repeat(full) + "░".repeat(barWidth - full);
};

/** `812 MB of 1.1 GB`, `38 MB/s`, `17/23 tables`. */
const amounts = ({ progress, bytesPerSecond }: StepView): readonly string[] => {
  if (progress === null) return [];
  const { bytesDone, bytesTotal, itemsDone, itemsTotal, unit, note } = progress;
  return [
    ...(bytesDone === undefined
      ? []
      : [
          bytesTotal === undefined ? formatBytes(bytesDone) : `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`,
        ]),
    ...(bytesPerSecond === null ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
    ...(itemsDone === undefined
      ? []
      : [
          `${formatCount(itemsDone)}${itemsTotal === undefined ? "" : `/${formatCount(itemsTotal)}`}${unit === undefined ? "" : ` ${unit}`}`,
        ]),
    ...(note === undefined ? [] : [note]),
  ];
};

/** What is still to come on the path that decides, the cutover as one. */
const nextSteps = (view: RunView, now: string, screen: Screen): string | null => {
  const phases = new Map(view.plan.intent.steps.map(({ id, phase }) => [id, phase]));
  const titles: string[] = [];
  const active = new Set([...view.steps.values()].filter(isRunning).map(({ id }) => id));
  for (const id of decidingPath(view, now).filter((step) => !active.has(step))) {
    const title = phases.get(id) === "cutover" ? "cut over" : titleOf(view, id);
    if (titles.at(-1) !== title) titles.push(title);
  }
  if (titles.length === 0 || !goesForward(view)) return null;
  return `* ${screen.paint("dim", padEnd("next", 5))} ${cutText(titles.join(" > "), Math.max(20, screen.width - 8))}`;
};

/** A command is never cut: where the line is too narrow for all of it the commands stand on lines of their own. */
const howToStop = (view: RunView, screen: Screen): readonly string[] => {
  const { width } = screen;
  const run = view.run ?? "RUN";
  const phases = new Map(view.plan.intent.steps.map(({ id, phase }) => [id, phase]));
  const inCutover = [...view.steps.values()].some(
    ({ id, state }) => phases.get(id) === "cutover" && state !== "pending" && state !== "skipped",
  );
  const [what, ...commands] = inCutover
    ? ["cutting over; if this is cut short:", `refloat resume ${run}`]
    : ["Ctrl-C stops here, live is untouched; then:", `refloat resume ${run},`, `or refloat cancel ${run}`];
  const typed = commands.map((command) => asTypedOn(screen, command));
  const all = [what, ...typed].join(" ");
  return textWidth(all) <= width ? [all] : [...wrapText(what ?? "", width), ...typed];
};
