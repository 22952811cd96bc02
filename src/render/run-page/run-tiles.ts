/** The first look at a run: four numbers against what was promised, and where the time went. */
import type { RpoActual } from "../../core/run/lost-writes.ts";
import type { Objective } from "../../core/run/objective.ts";
import { formatDuration } from "../../core/time/duration.ts";
import { formatSpan } from "../clock-times.ts";
import { describeMachine, describeTogether, describeValidated, phaseWords } from "../run-words.ts";
import { type Html, markup } from "./html.ts";
import { type RunPage, clock, section, verdict } from "./page-parts.ts";

const of = ({ objectiveMs }: Objective): Html | null =>
  objectiveMs === null ? null : markup` <small>of ${formatDuration(objectiveMs)}</small>`;

const meter = (actualMs: number, { objectiveMs, met }: Objective): Html | null => {
  if (objectiveMs === null || objectiveMs === 0) return null;
  const percent = Math.min(100, (actualMs / objectiveMs) * 100).toFixed(1);
  return markup`<div class="meter"><i class="${met === false ? "bad" : ""}" style="width:${percent}%"></i></div>`;
};

const tile = (name: string, value: Html, more: Html | null): Html =>
  markup`<div class="card tile"><h3>${name}</h3><div class="value">${value}</div>${more}</div>`;

export const runTiles = (page: RunPage): Html => {
  return markup`<section class="tiles">${[rtoTile(page), rpoTile(page), paceTile(page), validatedTile(page)]}</section>`;
};

const rtoTile = (page: RunPage): Html => {
  const { rto } = page.summary;
  if (rto === null)
    return tile("RTO actual", markup`&ndash;`, markup`<p>it did not put the service back in front of its users</p>`);
  const least = rto.fromIncident ? null : markup`<small>at least </small>`;
  const from = `${clock(rto.from, page)} ${rto.fromIncident ? "first wrong answer" : "the run began; when it broke is not known"}`;
  const to = `${clock(rto.to, page)} ${rto.toProbe ? "normal again" : "cut over; nobody asked as a user"}`;
  return tile(
    "RTO actual",
    markup`${least}${formatSpan(rto.actualMs)}${of(rto)}`,
    markup`${meter(rto.actualMs, rto)}<p>${verdict(rto)} ${from}, ${to}</p>`,
  );
};

/** Of several components the one that lost most. */
const worst = (rpo: readonly RpoActual[]): RpoActual | null =>
  rpo.reduce<RpoActual | null>((most, one) => (most === null || one.actualMs > most.actualMs ? one : most), null);

const rpoTile = ({ summary }: RunPage): Html => {
  const most = worst(summary.rpo);
  const served = summary.rto !== null;
  const name = served ? "RPO actual" : "Would lose";
  if (most === null) return tile(name, markup`&ndash;`, markup`<p>no data was recovered to a point</p>`);
  const others = summary.rpo.length - 1;
  const more = others === 0 ? most.component : `${most.component}, the most of ${summary.rpo.length} components`;
  return tile(
    name,
    most.actualMs === 0 ? markup`nothing` : markup`${formatSpan(most.actualMs)}${of(most)}`,
    markup`${meter(most.actualMs, most)}<p>${served ? verdict(most) : null} ${more}</p>`,
  );
};

const paceTile = ({ summary }: RunPage): Html =>
  tile(
    "Machine time",
    markup`${formatSpan(summary.machineMs)} <small>of ${formatSpan(summary.predictedMs)} predicted</small>`,
    markup`<p>${summary.done} of ${summary.steps} steps done; ${describeMachine(summary)[0]?.split("; ").at(-1) ?? "it goes on"}</p>`,
  );

const validatedTile = ({ summary, plan }: RunPage): Html => {
  const together = describeTogether(plan);
  const { checks, invariants } = summary;
  const failed = checks.failed + invariants.failed;
  const passed = checks.passed + invariants.passed;
  return tile(
    "Validated",
    failed === 0
      ? markup`${passed} <small>passed</small>`
      : markup`${failed} <small>of ${passed + failed} failed</small>`,
    markup`<p>${failed === 0 ? null : markup`<span class="badge bad">failed</span> `}${describeValidated(summary).join("; ")}${together === null ? null : markup`<br>${together}`}</p>`,
  );
};

export const runPhases = (page: RunPage): Html | null => {
  const { phases: all } = page.summary;
  const totalMs = all.reduce((sum, { durationMs }) => sum + durationMs, 0);
  if (totalMs === 0) return null;
  const places = ["notice", "restore", "validate", "decide", "cutover", "prove"];
  const colour = (phase: string): string => `p${places.indexOf(phase)}`;
  return section(
    "Where the time went",
    markup`<div class="card"><div class="phases">${all.map(({ phase, durationMs }) => markup`<i class="${colour(phase)}" style="width:${((durationMs / totalMs) * 100).toFixed(2)}%" title="${phaseWords[phase]} ${formatSpan(durationMs)}"></i>`)}</div>
<ul class="legend">${all.map(({ phase, durationMs }) => markup`<li><i class="${colour(phase)}"></i>${phaseWords[phase]} <b>${formatSpan(durationMs)}</b></li>`)}</ul></div>`,
  );
};
