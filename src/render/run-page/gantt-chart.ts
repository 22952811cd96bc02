/** Planned against actual as rows of bars: the plan's bar thin and grey above, what happened solid below, on the scale of the time that was worked. */
import type { Gantt, GanttBar, GanttRow } from "../../core/run/gantt.ts";
import type { Phase, Plan } from "../../model/plan.ts";
import type { RunRecord, StepRecord } from "../../model/run.ts";
import { formatSpan } from "../clock-times.ts";
import { describeResult } from "../step-result.ts";
import { type Html, markup } from "./html.ts";

const phaseTitles: Record<Phase, string> = {
  restore: "Restore beside live",
  validate: "Check",
  decide: "Decide",
  cutover: "Cut over",
  prove: "Prove",
};

/** Steps of the axis that people read easily, in milliseconds. */
const axisSteps = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000, 604_800_000,
];

const mostTicks = 7;

const ticksOf = (totalMs: number): readonly number[] => {
  const step = axisSteps.find((candidate) => totalMs / candidate <= mostTicks) ?? totalMs;
  return Array.from({ length: Math.floor(totalMs / step) + 1 }, (_, index) => index * step);
};

export const ganttChart = (gantt: Gantt, plan: Plan, record: RunRecord): Html => {
  const percent = (ms: number): string => ((ms / gantt.totalMs) * 100).toFixed(3);
  const place = (fromMs: number, toMs: number): Html =>
    markup`left:${percent(fromMs)}%;width:${percent(toMs - fromMs)}%`;
  const ticks = ticksOf(gantt.totalMs);
  const grid = [
    ...ticks.map((ms) => markup`<i class="grid" style="left:${percent(ms)}%"></i>`),
    ...gantt.breaks.map(
      ({ atMs, lengthMs }) =>
        markup`<i class="break" style="left:${percent(atMs)}%" title="nobody worked for ${formatSpan(lengthMs)}"></i>`,
    ),
  ];
  const bar = (one: GanttBar): Html => {
    const kind = barKind(one);
    const took = formatSpan(one.toMs - one.fromMs);
    return markup`<i class="bar ${kind}" style="${place(one.fromMs, one.toMs)}" title="attempt ${one.attempt}, ${one.state}: ${took}"></i>`;
  };
  const row = ({ step, planned, actual }: GanttRow): Html => {
    const forecast = plan.forecast.steps[step];
    const done = record.steps.find(({ id }) => id === step);
    const critical = plan.forecast.criticalPath.includes(step);
    const likely = forecast?.durationMs ?? null;
    return markup`<div class="row"><div class="name"><b>${forecast?.title ?? step}</b>${critical ? markup` <span class="critical" title="on the critical path">&starf;</span>` : null}<small>${whatOf(plan, done, forecast?.what ?? "")}</small></div>
<div class="track bars">${grid}<i class="plan" style="${place(planned.fromMs, planned.toMs)}" title="planned: ${likely === null ? "a person decides" : formatSpan(likely)}"></i>${actual.map(bar)}</div>
<div class="took">${actual.length === 0 ? "not begun" : formatSpan(done?.durationMs ?? 0)}${stateBadge(done)}<small>${likely === null ? "a person decides" : `planned ${formatSpan(likely)}`}</small></div></div>`;
  };
  const phases = [...new Set(plan.intent.steps.map(({ phase }) => phase))];
  const phaseOf = new Map(plan.intent.steps.map(({ id, phase }) => [id, phase]));
  return markup`<div class="gantt">
<div class="axis blank"></div><div class="axis track">${ticks.map((ms, index) => markup`<span${index === ticks.length - 1 && ms > gantt.totalMs * 0.9 ? markup` class="last"` : null} style="left:${percent(ms)}%">${ms === 0 ? "0" : formatSpan(ms)}</span>`)}</div><div class="axis blank"></div>
${phases.map((phase) => markup`<div class="phase">${phaseTitles[phase]}</div>${gantt.rows.filter(({ step }) => phaseOf.get(step) === phase).map(row)}`)}
</div>
<ul class="legend">
<li><i style="background:var(--faint);opacity:0.55"></i>planned</li><li><i style="background:var(--accent)"></i>as it went</li><li><span class="critical">&starf;</span> on the critical path</li>
${legend(gantt)}
</ul>`;
};

const barKind = ({ compensates, state }: GanttBar): string => {
  if (compensates) return "back";
  if (state === "running") return "running";
  if (state === "interrupted" || state === "waiting") return "cut";
  return state === "done" ? "done" : "failed";
};

/** Only what the chart shows. */
const legend = ({ rows, breaks }: Gantt): readonly Html[] => {
  const kinds = new Set(rows.flatMap(({ actual }) => actual.map(barKind)));
  return [
    ...(kinds.has("failed") ? [markup`<li><i style="background:var(--bad)"></i>an attempt that failed</li>`] : []),
    ...(kinds.has("back") ? [markup`<li><i style="background:var(--back)"></i>taken back</li>`] : []),
    ...(kinds.has("running") ? [markup`<li><i style="background:var(--info)"></i>goes on</li>`] : []),
    ...(kinds.has("cut") ? [markup`<li><i style="background:var(--warn)"></i>stopped, or asked a person</li>`] : []),
    ...(breaks.length > 0
      ? [
          markup`<li><i style="background:var(--p3)"></i>nobody worked: left out of the scale, ${breaks.map(({ lengthMs }) => formatSpan(lengthMs)).join(", ")}</li>`,
        ]
      : []),
  ];
};

const whatOf = (plan: Plan, step: StepRecord | undefined, planned: string): string => {
  const result = step?.state === "done" ? describeResult(plan, step.id, step.output) : "";
  return result === "" ? planned : result;
};

const stateBadge = (step: StepRecord | undefined): Html | null => {
  if (step === undefined || step.state === "done" || step.state === "pending") return null;
  const kind = step.state === "failed" || step.state === "needs-operator" ? "bad" : "warn";
  return markup` <span class="badge ${kind}">${step.state}</span>`;
};
