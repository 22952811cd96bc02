/** What a run lost, what proves that the new side is right, and what stands beside and waits for somebody. */
import { z } from "zod";
import { describeUnit } from "../../core/run/describe-unit.ts";
import { exportsOf } from "../../core/run/lost-writes.ts";
import { type CheckOutcome, checkOutcomeSchema } from "../../model/outcome.ts";
import { formatSpan } from "../clock-times.ts";
import { describeBeside, describeKept, describeLeft, describeLosses } from "../run-words.ts";
import { type Html, markup } from "./html.ts";
import { type RunPage, clock, section, verdict } from "./page-parts.ts";

export const runLosses = (page: RunPage): Html | null => {
  const { rpo } = page.summary;
  if (rpo.length === 0 || describeLosses(page.summary).length === 0) return null;
  const rows = rpo.map(
    (
      one,
    ) => markup`<tr><td>${one.component}</td><td>${one.actualMs === 0 && one.units.length === 0 ? "nothing" : formatSpan(one.actualMs)}</td>
<td>${one.lastWriteAt === null ? markup`&ndash;` : clock(one.lastWriteAt, page)}</td>
<td>${one.units.length === 0 ? markup`&ndash;` : markup`<ul class="plain">${one.units.map((unit) => markup`<li>${describeUnit(unit)}${exportsOf(unit).map((file) => markup` <code>${file}</code>`)}</li>`)}</ul>`}${one.gaps.map((gap) => markup`<p class="note">could not be compared whole: ${gap}</p>`)}</td><td>${verdict(one)}</td></tr>`,
  );
  return section(
    page.summary.rto === null ? "What it would lose" : "What was lost",
    markup`<div class="card wide"><table><thead><tr><th>Component</th><th>Time</th><th>Last write</th><th>To review</th><th></th></tr></thead><tbody>${rows}</tbody></table></div>`,
  );
};

const outcomesSchema = z.object({ outcomes: z.array(checkOutcomeSchema) });

/** What was asked of the new side, step by step. */
const outcomesOf = ({ record, plan }: RunPage): readonly { readonly title: string; readonly outcome: CheckOutcome }[] =>
  record.steps.flatMap(({ id, output }) =>
    (outcomesSchema.safeParse(output).data?.outcomes ?? []).map((outcome) => ({
      title: plan.forecast.steps[id]?.title ?? id,
      outcome,
    })),
  );

const outcomeBadges: Record<CheckOutcome["status"], Html> = {
  passed: markup`<span class="badge good">passed</span>`,
  failed: markup`<span class="badge bad">failed</span>`,
  skipped: markup`<span class="badge">skipped</span>`,
};

export const runEvidence = (page: RunPage): Html | null => {
  const rows = outcomesOf(page).map(
    ({ title, outcome }) =>
      markup`<tr><td>${title}</td><td>${outcome.subject}</td><td>${outcome.found}</td><td class="n">${formatSpan(outcome.durationMs)}</td><td>${outcomeBadges[outcome.status]}</td></tr>`,
  );
  if (rows.length === 0) return null;
  return section(
    "Evidence",
    markup`<div class="card wide"><table><thead><tr><th>Step</th><th>Asked</th><th>Found</th><th class="n">Took</th><th></th></tr></thead><tbody>${rows}</tbody></table></div>`,
  );
};

/** What stands beside and waits for somebody. */
export const runLeft = ({ summary }: RunPage): Html | null => {
  const told = [
    ...summary.settled.map((text) => ["Settled", text] as const),
    ...summary.disarmed.flatMap(({ component, items }) =>
      items.map(({ name, was }) => ["Disarmed", `${component}: ${name} (${was})`] as const),
    ),
    ...describeKept(summary).map((text) => ["Kept", text] as const),
    ...describeBeside(summary).map((text) => ["Beside", text] as const),
    ...summary.left.map((one) => ["Only there", describeLeft(one, summary)] as const),
  ];
  if (told.length === 0) return null;
  return section(
    "What is left behind",
    markup`<div class="card"><dl>${told.map(([label, text]) => markup`<dt>${label}</dt><dd>${text}</dd>`)}</dl></div>`,
  );
};
