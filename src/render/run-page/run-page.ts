/**
 * The report of a run as one HTML page: what users noticed, against what was promised; planned against actual; what was lost; the evidence. It
 * needs nothing beside it, runs no script, and says so to the browser, so that it can be kept, mailed and opened years later.
 */
import { describeStake } from "../../core/declaration/stake.ts";
import { type Gantt, ganttOf } from "../../core/run/gantt.ts";
import { formatDay, formatTime, zoneName } from "../clock-times.ts";
import { describeEdits, describeUnanswered, ending, followed, reasonLabel, reasons } from "../run-words.ts";
import { describeMoments } from "../moment-words.ts";
import { ganttChart } from "./gantt-chart.ts";
import { type Html, markup } from "./html.ts";
import { type RunPage, clock, section } from "./page-parts.ts";
import { pageStyle } from "./page-style.ts";
import { runEvidence, runLeft, runLosses } from "./run-evidence.ts";
import { runPhases, runTiles } from "./run-tiles.ts";

export const renderRunPage = (page: RunPage): string => {
  const { record, plan, events, summary, now } = page;
  const gantt = ganttOf(record, plan, events, now);
  const title = `${summary.service}: run ${summary.run}`;
  return `${
    markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${{ html: pageStyle }}</style>
</head>
<body>
<main>
${header(page)}
${troubles(page)}
${runTiles(page)}
${runPhases(page)}
${section("Planned against actual", markup`<div class="card wide">${ganttChart(gantt, plan, record)}${pace(gantt, page)}</div>`)}
${runLosses(page)}
${runEvidence(page)}
${runLeft(page)}
${log(page)}
${footer(page)}
</main>
</body>
</html>`.html
  }\n`;
};

const header = (page: RunPage): Html => {
  const { record, plan, summary, now, timeZone } = page;
  const { text, style } = ending(summary);
  const kind = style === "red" ? "bad" : style === "yellow" ? "warn" : style === "cyan" ? "info" : "";
  const began = `${formatDay(record.beganAt, now, timeZone)} ${record.beganAt.slice(0, 4)}, ${clock(record.beganAt, page)}`;
  const ended = record.endedAt === null ? "not ended" : clock(record.endedAt, page);
  const stake = describeStake(plan.intent.declaration);
  return markup`<header>
<p class="eyebrow"><span class="mark"></span>Refloat &middot; ${summary.purpose === "undo" ? "undo" : "recovery"} of ${summary.service} &middot; run ${summary.run} &middot; ${began} to ${ended} ${zoneName(now, timeZone)}</p>
<h1 class="${kind}">${text}</h1>
<p class="lede">${[followed(summary, plan), ...describeMoments(plan, now, timeZone)].join("; ")}${stake === null ? null : markup`<br>${stake}`}</p>
</header>`;
};

/** First what a reader has to act on. */
const troubles = (page: RunPage): Html | null => {
  const { summary } = page;
  const told = [
    ...reasons(summary).map((text) =>
      text.startsWith("hint: ")
        ? (["Hint", text.slice("hint: ".length)] as const)
        : ([reasonLabel(summary), text] as const),
    ),
    ...(summary.probe?.status === "failed"
      ? [["Probe", `${summary.probe.found}: users get a wrong answer from what serves now`] as const]
      : []),
    ...summary.broken.map((text) => ["Broken", text] as const),
    ...summary.unanswered.map((one) => ["Ill", describeUnanswered(one)] as const),
    ...describeEdits(summary).map((text) => ["Edited", text] as const),
    ...summary.stumbles.warnings.map((text) => ["Warning", text] as const),
  ];
  if (told.length === 0) return null;
  return section(
    "What needs attention",
    markup`<div class="card"><dl>${told.map(([label, text]) => markup`<dt><span class="badge ${label === "Hint" ? "" : label === "Warning" || label === "Edited" ? "warn" : "bad"}">${label}</span></dt><dd>${text}</dd>`)}</dl></div>`,
  );
};

const pace = ({ rows }: Gantt, { plan }: RunPage): Html | null => {
  const known = plan.forecast.totalMs.runs;
  const begun = rows.filter(({ actual }) => actual.length > 0).length;
  const basis = known === 0 ? "sizes, with no earlier run to go by" : `${known} earlier runs`;
  return markup`<p class="note">Planned by ${basis}. ${begun} of ${rows.length} steps were begun.</p>`;
};

const log = (page: RunPage): Html | null => {
  const { events, plan } = page;
  const rows = events.flatMap((event) => {
    if (event.type === "progress") return [];
    if (event.type === "word") {
      const { by, says, step, reason, evidence } = event.word;
      const about = step === null ? "run" : (plan.forecast.steps[step]?.title ?? step);
      return [
        markup`<tr><td class="mono">${clock(event.at, page)}</td><td>${about}</td><td>${by}: ${says}</td><td>${reason ?? evidence ?? ""}</td></tr>`,
      ];
    }
    const who = event.type === "run" ? "run" : (plan.forecast.steps[event.step]?.title ?? event.step);
    const attempt = event.type === "step" && event.attempt > 1 ? `, attempt ${event.attempt}` : "";
    const said =
      event.type === "run"
        ? (event.message ?? "")
        : event.error == null
          ? ""
          : `${event.error.code}: ${event.error.message}`;
    return [
      markup`<tr><td class="mono">${clock(event.at, page)}</td><td>${who}</td><td>${event.state}${attempt}</td><td>${said}</td></tr>`,
    ];
  });
  if (rows.length === 0) return null;
  return section(
    "Journal",
    markup`<div class="card wide"><details><summary>${rows.length} events, as they were written</summary><table><tbody>${rows}</tbody></table></details></div>`,
  );
};

const footer = ({ record, plan, now, timeZone, madeBy }: RunPage): Html => {
  const { point } = plan.intent;
  return markup`<footer>${point === null ? null : markup`point <code>${point.id}</code> of ${point.consistentAt} &middot; `}plan <code>${record.digest}</code> &middot; run <code>${record.uid}</code><br>
as of ${formatTime(now, now, timeZone)} ${zoneName(now, timeZone)}, ${now.slice(0, 10)} &middot; from the journal of ${madeBy.hostname} &middot; Refloat ${madeBy.version}</footer>`;
};
