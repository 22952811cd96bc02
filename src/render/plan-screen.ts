/** A plan as a person decides on it: what is lost and kept, what would lose less, each wave, how long, what to beware of. */
import { describeStake } from "../core/declaration/stake.ts";
import { formatSkew } from "../core/points/composition-words.ts";
import { formatDuration } from "../core/time/duration.ts";
import { formatBytes, formatList } from "../core/text/quantity.ts";
import { shortId, type StepId } from "../model/identifiers.ts";
import type { CloserReason, LossForecast, Plan, PlanStep, TouchedService } from "../model/plan.ts";
import { formatTime, zoneName } from "./clock-times.ts";
import { hanging, textWidth } from "./fit-text.ts";
import { describeMoments } from "./moment-words.ts";
import { describeTogether } from "./run-words.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { type Cell, renderTable } from "./table.ts";

export type PlanScreenOptions = {
  /** The number that the run will get, for the names of what it makes; `N` when it is not known. */
  readonly run?: number;
  /** What to type next; `refloat recover --plan DIGEST` when left out, nothing when null. */
  readonly next?: string | null;
};

const labelWidth = 8;

export const renderPlan = (plan: Plan, screen: Screen, options: PlanScreenOptions = {}): string => {
  const { forecast, intent } = plan;
  const label = (text: string): string => text.padEnd(labelWidth);
  const part = (name: string, texts: readonly string[]): readonly string[] =>
    texts.flatMap((text, index) => hanging(label(index === 0 ? name : ""), text, screen));
  const next = options.next === undefined ? `refloat recover --plan ${shortId(plan.digest)}` : options.next;
  return lines(
    hanging("", headline(plan, screen), screen),
    part("STAKE", [describeStake(intent.declaration) ?? []].flat()),
    part("MOMENT", describeMoments(plan, forecast.at, screen.timeZone)),
    part("MEMBERS", membersOf(plan, screen)),
    part("MODE", modeOf(plan)),
    part("POINT", madeInRun(plan)),
    part("FROM", waysOf(plan, "from")),
    part("TO", waysOf(plan, "to")),
    part("LOSES", intent.purpose === "recover" || forecast.loses.length > 0 ? losses(plan, screen) : []),
    part("OUTAGE", outage(plan)),
    part("KEEPS", forecast.keeps.length === 0 ? [] : [forecast.keeps.join(", ")]),
    part("TOUCHES", (forecast.touches ?? []).map(describeTouched)),
    part("CLOSER", closer(plan, screen)),
    part("SPACE", forecast.space.map(describeSpace)),
    stepTable(plan, screen, options.run),
    details(plan, screen),
    hanging("", summary(plan), screen),
    forecast.warnings.flatMap(({ message }) =>
      hanging("WARNING ", message, screen).map((line, index) =>
        index === 0 ? line.replace("WARNING", (word) => screen.paint("yellow", word)) : line,
      ),
    ),
    next === null ? null : nextLine(screen, next),
  );
};

const headline = ({ digest, intent, forecast }: Plan, screen: Screen): string => {
  const name = `${screen.paint("bold", `Plan ${shortId(digest)}`)}  ${intent.service}`;
  if (intent.undoes !== null)
    return intent.failback === undefined
      ? `${name}, undo of run ${intent.undoes.run}`
      : `${name}, undo of run ${intent.undoes.run}: back to where run ${intent.failback.run} recovered it`;
  const whole = intent.scope.length === Object.keys(intent.declaration.components).length;
  const scope = whole ? name : `${name}, only ${formatList(intent.scope, 6)}`;
  if (intent.failback !== undefined)
    return `${scope}, home from where run ${intent.failback.run} recovered it${intent.cutover ? "" : ". Restored here beside and checked, not cut over"}`;
  if (intent.point === null) return scope;
  const { id, consistentAt } = intent.point;
  const taken = `${formatTime(consistentAt, forecast.at, screen.timeZone)} ${zoneName(consistentAt, screen.timeZone)}`;
  const reason = describeChoice(forecast, screen);
  const why = reason === "" ? "" : `, ${reason}`;
  const end = intent.cutover ? "" : ". Restored beside and checked, not cut over";
  return `${scope}.  Point ${shortId(id)}, ${taken}${why}${end}`;
};

/** Why it is this point: `the last before mark "upgrade 2.5.0" (14:21:02)`. */
const describeChoice = ({ asked, chosen, at: now }: Plan["forecast"], screen: Screen): string => {
  const time = (at: string): string => formatTime(at, now, screen.timeZone);
  // Plans of older versions know the instant alone.
  if (chosen === undefined)
    return asked === null || asked.instant === null ? "" : `the last before ${time(asked.instant)}`;
  switch (chosen.kind) {
    case "last":
    case "id":
      return "";
    case "instant":
      return `the last before ${time(chosen.at)}`;
    case "incident":
      return `the last before the incident of ${time(chosen.at)}`;
    case "verified":
      return `the last verified (${time(chosen.at)})`;
    case "mark":
      return `the last before mark "${chosen.name}" (${time(chosen.at)})`;
    case "run":
      return chosen.changed
        ? `the last before run ${chosen.run} changed what is live (${time(chosen.at)})`
        : `the last before run ${chosen.run} began (${time(chosen.at)})`;
    case "log-target":
      return `the last before ${chosen.what} of ${chosen.component} (${time(chosen.at)})`;
    default:
      return chosen satisfies never;
  }
};

/** `db of 3c71e0aa, 16:00:03; uploads of 7f3a91c2, 13:00:02, 3h older`, what stands against it, and what would be better. */
const membersOf = ({ forecast: { composed, at: now } }: Plan, { timeZone }: Screen): readonly string[] => {
  if (composed === undefined) return [];
  const told = composed.members.map(
    ({ component, point, at, skewMs }) =>
      `${component} of ${shortId(point)}, ${formatTime(at, now, timeZone)}${skewMs === 0 ? "" : `, ${formatSkew(skewMs)} older`}`,
  );
  return [
    told.join("; "),
    ...(composed.absent.length === 0 ? [] : [`without ${formatList(composed.absent)}`]),
    ...composed.conflicts,
    ...closestOf(composed, (at) => formatTime(at, now, timeZone)),
    ...(composed.better === null ? [] : [`better: ${composed.better}`]),
  ];
};

/** `closest together: 9be2d410, 13:10:00, within 4s (--at 9be2d410): db 2h 50m earlier` */
const closestOf = (
  { closest, byLog }: NonNullable<Plan["forecast"]["composed"]>,
  time: (at: string) => string,
): readonly string[] => [
  ...(closest === undefined
    ? []
    : [
        `closest together: ${shortId(closest.point)}, ${time(closest.at)}, within ${formatSkew(closest.skewMs)} (--at ${shortId(closest.point)})${closest.earlier.length === 0 ? "" : `: ${closest.earlier.map(({ component, ms }) => `${component} ${formatSkew(ms)} earlier`).join(", ")}`}`,
      ]),
  ...(byLog === undefined
    ? []
    : [`${formatList(byLog.components)} can go by log to the moment of the oldest part: --at ${byLog.at}`]),
];

/** Where the point alone does not say it: `aligned within 0.2s: markers in 2 logs, placed while the service was held`. */
const modeOf = (plan: Plan): readonly string[] => {
  const { intent, forecast } = plan;
  const isOfPoint = forecast.consistency?.mode !== "composed" && Object.keys(intent.replays ?? {}).length === 0;
  return isOfPoint ? [] : [describeTogether(plan) ?? []].flat();
};

/** `shop: app, by ${auth.db.url}; its connections end while names change hands, and it is not restarted` */
const describeTouched = ({ service, component, to, via }: TouchedService): string =>
  `${service}${component === null ? "" : `: ${component}`}, bound to ${to} by ${via}; it is not restarted, and its connections end when ${to} changes hands`;

const isWayHome = ({ intent }: Plan): boolean => intent.failback !== undefined && intent.undoes === null;

/** The digest names no bytes of it: said, since people rely on a plan to do what it shows. */
const madeInRun = (plan: Plan): readonly string[] => {
  const { intent } = plan;
  if (!isWayHome(plan)) return [];
  const what = `of ${formatList(intent.scope, 6)} as they are then, where they are now`;
  return [
    intent.cutover
      ? `made in the run, ${what}: while users work there, and again behind hold and fence if anything was written since`
      : `made in the run, ${what}, while users work there`,
    "one of another shape (components, types, schema) than this plan was made for ends the run before anything is restored from it",
  ];
};

const waysOf = (plan: Plan, side: "from" | "to"): readonly string[] =>
  isWayHome(plan) ? (plan.forecast.ways ?? []).map((way) => `${way.component}: ${way[side]}`) : [];

/** What stands between the hold there and the admission here: the second point, and what must be restored from it. */
const outage = (plan: Plan): readonly string[] => {
  const { intent, forecast } = plan;
  const again = intent.steps.filter(
    ({ id, action }) => action.kind === "restore" && intent.cutover && id.endsWith(":final"),
  );
  if (!isWayHome(plan) || again.length === 0) return [];
  const told = again.map(({ id, action }) => {
    const { durationMs = null } = forecast.steps[id] ?? {};
    return `${"component" in action ? action.component : id}${durationMs === null ? "" : ` ${roundly(durationMs)}`}`;
  });
  return [
    `${roundly(forecast.heldMs)} if all is written to while the first point is restored: it is captured and restored whole once more behind the hold (${told.join(", ")}); what is not written to keeps what the first point gave`,
  ];
};

const losses = (plan: Plan, screen: Screen): readonly string[] =>
  isWayHome(plan)
    ? [
        "nothing that is written there: it is held, stopped and closed before the last point, until users are here",
        "what only the old side here has, from before users left it, is listed first and kept",
      ]
    : lossesOf(plan, screen);

const lossesOf = ({ forecast }: Plan, screen: Screen): readonly string[] =>
  forecast.loses.length === 0
    ? ["nothing"]
    : forecast.loses.map((loss) => describeLoss(loss, forecast.at, screen.timeZone));

/** `db 21m34s: about 312 orders (last write 14:21:38); saved to CSV first` */
export const describeLoss = (loss: LossForecast, now: string, timeZone: string): string => {
  const { component, lostMs, lastWriteAt, about, saved } = loss;
  if (lostMs === 0) return `${component}: ${about ?? "nothing"}`;
  const written = lastWriteAt === undefined ? "" : ` (last write ${formatTime(lastWriteAt, now, timeZone)})`;
  return `${component} ${formatDuration(Math.round(lostMs / 1000) * 1000)}: ${about ?? "what changed since"}${written}; ${
    saved ?? "not exported, the old side is kept"
  }`;
};

const closer = ({ forecast }: Plan, screen: Screen): readonly string[] => {
  if (forecast.closer === null) return [];
  const { point, consistentAt, lostMs, why } = forecast.closer;
  const taken = formatTime(consistentAt, forecast.at, screen.timeZone);
  const speaks = describeCloser(why ?? { checked: true });
  return [`${shortId(point)}, ${taken}, ${speaks}, loses ${formatDuration(lostMs)}: --at ${shortId(point)}`];
};

/** The mark says most to whoever knows what happened there. */
const describeCloser = ({ checked, mark, afterMs }: CloserReason): string =>
  mark !== undefined
    ? `before "${mark.name}"`
    : checked || afterMs === undefined
      ? "its checks passed"
      : `${formatDuration(afterMs)} after what was asked`;

const describeSpace = ({ fileSystem, neededBytes, freeBytes }: Plan["forecast"]["space"][number]): string =>
  `${fileSystem} needs ${formatBytes(neededBytes)} of ${formatBytes(freeBytes)} free`;

/** What one must have read before a yes: the plan of another tool, line by line as it printed it. */
const details = ({ intent, forecast }: Plan, screen: Screen): readonly string[] =>
  intent.steps.flatMap(({ id }) => {
    const { title = id, detail = [] } = forecast.steps[id] ?? {};
    return detail.length === 0
      ? []
      : [screen.paint("bold", `${title}:`), ...detail.map((line) => `  ${line}`.trimEnd())];
  });

type StepRow = {
  readonly steps: readonly PlanStep[];
  readonly title: string;
  readonly what: string;
  readonly durationMs: number | null;
};

/** Rows of a wave; the cutover is one row, because it happens as one: all of it or nothing. */
const rowsByWave = (plan: Plan): readonly (readonly StepRow[])[] => {
  const { forecast, intent } = plan;
  const stepOf = new Map(intent.steps.map((step) => [step.id, step]));
  const rowOf = (step: PlanStep): StepRow => {
    const { title = step.id, what = "", durationMs = null } = forecast.steps[step.id] ?? {};
    return { steps: [step], title, what, durationMs };
  };
  const waves: StepRow[][] = [];
  let cutoverShown = false;
  for (const wave of forecast.waves) {
    const steps = wave.map((id) => stepOf.get(id)).filter((step) => step !== undefined);
    const rows = steps.filter(({ phase }) => phase !== "cutover").map(rowOf);
    if (steps.length > rows.length && !cutoverShown) {
      cutoverShown = true;
      rows.push(cutoverRow(plan));
    }
    if (rows.length > 0) waves.push(rows);
  }
  return waves;
};

const cutoverRow = ({ intent, forecast }: Plan): StepRow => {
  const steps = intent.steps.filter(({ phase }) => phase === "cutover");
  const of = (kind: PlanStep["action"]["kind"]): readonly PlanStep[] =>
    steps.filter(({ action }) => action.kind === kind);
  const named = (verb: string, kind: "start" | "reload"): readonly string[] => {
    const here = of(kind).filter(({ action }) => !("side" in action && action.side === "away"));
    const names = here.flatMap(({ action }) => ("component" in action ? [action.component] : []));
    return names.length === 0 ? [] : [`${verb} ${formatList(names)}`];
  };
  const verb = intent.purpose === "undo" ? "put back" : "cut over";
  return {
    steps,
    title: intent.scope.length > 2 ? `${verb} ${intent.scope.length} names` : `${verb} ${intent.scope.join(", ")}`,
    what: [
      ...of("isolate").map(({ id }) => `${forecast.steps[id]?.title ?? id} (${forecast.steps[id]?.what ?? ""})`),
      ...(["hold", "fence", "capture", "retire", "restore", "reinstate", "start", "admit"] as const).flatMap((kind) =>
        of(kind).flatMap(({ id, action }) =>
          ("side" in action && action.side === "away") ||
          kind === "retire" ||
          kind === "restore" ||
          kind === "reinstate"
            ? (forecast.steps[id]?.title ?? [])
            : [],
        ),
      ),
      ...of("switch").map(({ id }) => forecast.steps[id]?.what ?? id),
      ...named("restart", "start"),
      ...named("reload", "reload"),
    ].join(", "),
    durationMs: forecast.heldMs,
  };
};

const stepTable = (plan: Plan, screen: Screen, run: number | undefined): readonly string[] => {
  const critical = new Set<StepId>(plan.forecast.criticalPath);
  const named = (text: string): string => text.replaceAll("{run}", run === undefined ? "N" : String(run));
  const rows = rowsByWave(plan).flatMap((wave, index) =>
    wave.map((row): readonly Cell[] => {
      const mark = row.steps.some(({ id }) => critical.has(id)) ? "*" : " ";
      const time = row.durationMs === null ? "?" : roundly(row.durationMs);
      return [`${String(index + 1).padEnd(4)}${mark}`, row.title, named(row.what), time];
    }),
  );
  return renderTable(
    [{ title: "WAVE", gap: 1 }, { title: "STEP" }, { title: "WHAT", wraps: true }, { title: "TIME", align: "right" }],
    rows,
    screen,
  );
};

/** Forecasts in whole seconds: more would pretend to know. */
const roundly = (ms: number): string => formatDuration(Math.max(1, Math.round(ms / 1000)) * 1000);

/** `35-52s` where both ends have the same unit, else `50s-2m30s`. */
const range = (lowMs: number, highMs: number): string => {
  const [low, high] = [roundly(lowMs), roundly(highMs)];
  return /^\d+s$/.test(low) && /^\d+s$/.test(high) ? `${low.slice(0, -1)}-${high}` : `${low}-${high}`;
};

const summary = ({ intent, forecast }: Plan): string => {
  const { likely, low, high, runs } = forecast.totalMs;
  const basis = runs === 0 ? "no runs to go by yet" : runs === 1 ? "1 run" : `${runs} runs`;
  const holds = intent.steps.some(({ action }) => action.kind === "hold");
  const changes = intent.steps.some(({ phase }) => phase === "cutover");
  const live = !intent.cutover
    ? "live is not touched"
    : !changes
      ? "people do it all"
      : `${holds ? "traffic held" : "names change hands in"} ${roundly(forecast.heldMs)}`;
  return `Predicted ${roundly(likely)} (${range(low, high)}, ${basis}); ${live}. * critical path`;
};

/** The plan in two lines, for a screen that goes on with a question: `Plan 91d2c7f0  LOSES db 19s, ...  KEEPS app 2.5.0`. */
export const renderPlanBriefly = (plan: Plan, screen: Screen): string => {
  const { forecast, digest } = plan;
  const loses = losses(plan, screen).join("; ");
  const keeps = forecast.keeps.length === 0 ? "" : `  KEEPS ${forecast.keeps.join(", ")}`;
  const critical = new Set<StepId>(forecast.criticalPath);
  const path = rowsByWave(plan)
    .flat()
    .filter(({ steps }) => steps.some(({ id }) => critical.has(id)))
    .map(({ title }) => title)
    .join(" > ");
  const first = `Plan ${shortId(digest)}  LOSES ${loses}`;
  return lines(
    textWidth(first + keeps) <= screen.width
      ? first + keeps
      : [...hanging("", first, screen), ...hanging("", keeps.trim(), screen)],
    hanging("* ", `${path}  about ${roundly(forecast.totalMs.likely)}`, screen),
  );
};
