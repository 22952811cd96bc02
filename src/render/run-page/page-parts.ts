/** What the parts of the page of a run share: the facts that they are made of, a titled section, a time, a verdict. */
import type { Objective } from "../../core/run/objective.ts";
import type { RunSummary } from "../../core/run/run-summary.ts";
import type { Plan } from "../../model/plan.ts";
import type { RunEvent, RunRecord } from "../../model/run.ts";
import { formatTime } from "../clock-times.ts";
import { type Html, markup } from "./html.ts";

export type RunPage = {
  readonly record: RunRecord;
  readonly plan: Plan;
  readonly events: readonly RunEvent[];
  readonly summary: RunSummary;
  /** ISO 8601: when the run ended, or the moment of asking. */
  readonly now: string;
  readonly timeZone: string;
  /** Of Refloat, and the machine that tells. */
  readonly madeBy: { readonly version: string; readonly hostname: string };
};

export const section = (name: string, content: Html): Html => markup`<section><h2>${name}</h2>${content}</section>`;

export const clock = (instant: string, { now, timeZone }: RunPage): string => formatTime(instant, now, timeZone);

export const verdict = ({ met }: Objective): Html | null =>
  met === null
    ? null
    : met
      ? markup`<span class="badge good">met</span>`
      : markup`<span class="badge bad">missed</span>`;
