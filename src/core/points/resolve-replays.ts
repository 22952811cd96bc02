/**
 * How far the logs of components lead on from the point that was chosen: a wanted instant becomes, for each component with a log, a position that the
 * index of its log knows. Looks into the vault; decides by nothing else.
 */
import type { LogMoment, LogSpan } from "../../model/log-span.ts";
import type { Alignment } from "../../model/mark.ts";
import type { CapturedComponent, RecoveryPoint } from "../../model/manifest.ts";
import type { PlannedReplay, PointChoice } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { comparePositions } from "../logs/log-position.ts";
import { linesOf, spanFrom } from "../logs/log-spans.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import type { LogStore } from "../ports/vault-logs.ts";
import type { LogBegin } from "../retention/log-lifetimes.ts";
import { logBeginOf } from "../retention/vault-logs.ts";

export type ReplayRequest = {
  readonly point: RecoveryPoint;
  readonly chosen: PointChoice;
  /** Components that are to be recovered. */
  readonly scope: readonly string[];
};

export type ResolvedReplays = {
  /** By component; without those that stay at the point. */
  readonly replays: Readonly<Record<string, PlannedReplay>>;
  /** Components that the point has as of a later moment than what is wanted: it goes too far. */
  readonly tooLate: readonly string[];
  /** Components whose log has a part that nothing leads to from the point, though its end was wanted. */
  readonly unreached: readonly UnreachedLog[];
};

/** The log is received up to `toAt`; from the point it leads on up to `reachedAt`. */
export type UnreachedLog = { readonly component: string; readonly reachedAt: string; readonly toAt: string };

/** @throws RefloatError log.gap, vault.* */
export const resolveReplays = async (
  { logs, registry }: { readonly logs: LogStore; readonly registry: DriverRegistry },
  { point, chosen, scope }: ReplayRequest,
): Promise<ResolvedReplays> => {
  const replays: Record<string, PlannedReplay> = {};
  const tooLate: string[] = [];
  const unreached: UnreachedLog[] = [];
  const wanted = wantedInstant(chosen);
  if (wanted === undefined) return { replays, tooLate, unreached };
  const { service, components } = point.manifest;
  const all = await logs.spans(service);
  for (const component of scope) {
    const captured = components[component];
    const own = all.filter((one) => one.component === component);
    const begin = logBeginOf(registry)(point, component, linesOf(own));
    if (captured === undefined || begin === null || own.length === 0) continue;
    const span = spanFrom(own, begin);
    const reachedAt = span?.toAt ?? captured.window.endAt;
    const further = own.filter((one) => one !== span && isFurther(one, begin, reachedAt));
    if (wanted === null) {
      const [newest] = further.toSorted((a, b) => Date.parse(b.toAt) - Date.parse(a.toAt));
      if (newest !== undefined) unreached.push({ component, reachedAt, toAt: newest.toAt });
      if (span !== undefined && comparePositions(span.to, begin.from) > 0)
        replays[component] = planned(registry, captured, begin, { position: span.to, at: span.toAt });
      continue;
    }
    const marker = markerOf(chosen, component);
    if (marker !== undefined) {
      const replay = toMarker(marker, { point, component, begin, span });
      if (replay === "too-late") tooLate.push(component);
      else {
        const holds = registry.components.get(captured.driver)?.logs?.holdsMarker;
        if (holds !== undefined && !(await holds(marker, (await logs.reader({ service, component })).read)))
          throw otherHistory(marker, { point, component });
        replays[component] = planned(registry, captured, begin, replay);
      }
      continue;
    }
    const isBeyond = Date.parse(wanted) > Date.parse(reachedAt);
    // What the point leads into is a log; before one was received at all, the point is all there is.
    const after = further.find((one) => span !== undefined || Date.parse(one.fromAt) <= Date.parse(wanted));
    if (isBeyond && after !== undefined) throw gap(point, wanted, { component, line: begin.line, reachedAt }, after);
    const found =
      span !== undefined && isBeyond
        ? { position: span.to, at: span.toAt }
        : await logs.positionAt({ service, component, line: begin.line, at: wanted });
    const isTooLate =
      found === null
        ? Date.parse(wanted) < Date.parse(captured.window.endAt)
        : comparePositions(found.position, begin.from) < 0;
    if (isTooLate) tooLate.push(component);
    else if (span !== undefined && found !== null && comparePositions(found.position, begin.from) > 0)
      replays[component] = planned(registry, captured, begin, found);
  }
  return { replays, tooLate, unreached };
};

/** The place that a component is to go exactly to. `called`, in an error: `the marker of "evening"`. */
type Marker = Pick<Alignment["markers"][string], "line" | "position" | "at" | "from" | "id"> & {
  readonly called: string;
};

const markerOf = (chosen: PointChoice, component: string): Marker | undefined => {
  if (chosen.kind === "log-target")
    return chosen.component === component ? { ...chosen, called: chosen.what } : undefined;
  const marker = chosen.kind === "mark" ? chosen.aligned?.markers[component] : undefined;
  return chosen.kind === "mark" && marker !== undefined
    ? { ...marker, called: `the marker of "${chosen.name}"` }
    : undefined;
};

type MarkerRequest = Pick<ReplayRequest, "point"> & {
  readonly component: string;
  readonly begin: NonNullable<LogBegin>;
  readonly span: LogSpan | undefined;
};

/** Exactly to where the marker ends: no clock is asked. @throws RefloatError log.gap where the log does not lead there */
const toMarker = (marker: Marker, { point, component, begin, span }: MarkerRequest): LogMoment | "too-late" => {
  const isOnLine = marker.line === begin.line;
  if (isOnLine && comparePositions(marker.position, begin.from) < 0) return "too-late";
  if (isOnLine && span !== undefined && comparePositions(marker.position, span.to) <= 0)
    return { position: marker.position, at: marker.at };
  const { service } = point.manifest;
  const reached =
    span === undefined ? "nothing of it leads on from the point" : `it leads on only to ${span.to} (${span.toAt})`;
  throw new RefloatError(
    "log.gap",
    isOnLine
      ? `${marker.called} in the log of ${component} is at ${marker.position}, and ${reached}`
      : `${marker.called} in the log of ${component} lies on ${marker.line}, and the point is of ${begin.line}`,
    {
      context: { component, marker: marker.position },
      state: "nothing was changed",
      hint: isOnLine
        ? `what is missing may still be at its server: refloat capture ${service} --continuous receives it`
        : "it is reached from points that were taken on the same line",
      nextCommand: `refloat timeline ${service}`,
    },
  );
};

const otherHistory = (
  { called, position }: Marker,
  { point, component }: Pick<MarkerRequest, "point" | "component">,
): RefloatError =>
  new RefloatError(
    "log.diverged",
    `what the vault holds of the log of ${component} at ${position} is not ${called}: its server was reset, or put back, before it was received`,
    {
      context: { component, marker: position },
      state: "nothing was changed",
      hint: "a time is looked up in what was received",
      nextCommand: `refloat timeline ${point.manifest.service}`,
    },
  );

const planned = (
  registry: DriverRegistry,
  { driver }: CapturedComponent,
  { line, from, head }: NonNullable<LogBegin>,
  { position, at }: LogMoment,
): PlannedReplay => {
  const place = registry.components.get(driver)?.logs?.placeOf?.(line, position);
  return { line, from: head ?? from, to: position, at, ...(place === undefined ? {} : { place }) };
};

/** Whether it has what is later than what is reached. What lies before the point's end on the point's own line has not. */
const isFurther = (span: LogSpan, begin: NonNullable<LogBegin>, reachedAt: string): boolean =>
  Date.parse(span.toAt) > Date.parse(reachedAt) &&
  (span.line !== begin.line || comparePositions(span.to, begin.from) > 0);

/** @returns null for the end of the log, undefined where the point itself is meant */
const wantedInstant = (chosen: PointChoice): string | null | undefined => {
  switch (chosen.kind) {
    case "last":
      return null;
    case "instant":
    case "incident":
    case "mark":
    case "run":
    case "log-target":
      return chosen.at;
    case "id":
    case "verified":
      return undefined;
    default:
      return chosen satisfies never;
  }
};

const gap = (
  { manifest: { service, consistentAt } }: RecoveryPoint,
  wanted: string,
  { component, line, reachedAt }: { readonly component: string; readonly line: string; readonly reachedAt: string },
  after: LogSpan,
): RefloatError => {
  const from = `from ${reachedAt} to ${after.fromAt}`;
  const isOtherLine = after.line !== line && Date.parse(after.fromAt) <= Date.parse(reachedAt);
  const message = isOtherLine
    ? `from the point of ${consistentAt} the log of ${component} leads on only to ${reachedAt}, and not to ${wanted}: it goes on as ${after.line}, and the point is of ${line}`
    : Date.parse(wanted) < Date.parse(after.fromAt)
      ? `${wanted} lies in a gap of the log of ${component}, ${from}`
      : `between the point of ${consistentAt} and ${wanted} the log of ${component} has a gap, ${from}`;
  const later = isOtherLine ? "later ones" : `moments after ${after.fromAt}`;
  return new RefloatError("log.gap", message, {
    context: { component, before: reachedAt, after: after.fromAt },
    state: "nothing was changed",
    hint: `the last moment before it is ${reachedAt}; ${later} are reached from a point that was taken ${isOtherLine ? `on ${after.line}` : "after it"}`,
    nextCommand: `refloat plan ${service} --at ${reachedAt}`,
  });
};
