/**
 * How far the logs of components lead on from the point that was chosen: a wanted instant becomes, for each component with a log, a position that the
 * index of its log knows. Looks into the vault; decides by nothing else.
 */
import type { LogSpan } from "../../model/log-span.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { PlannedReplay, PointChoice } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { comparePositions } from "../logs/log-position.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import type { LogStore } from "../ports/vault-logs.ts";

export type ReplayRequest = {
  readonly point: RecoveryPoint;
  readonly chosen: PointChoice;
  /** Components that are to be recovered. */
  readonly scope: readonly string[];
};

/** By component; without those that stay at the point. @throws RefloatError log.gap, vault.* */
export const resolveReplays = async (
  { logs, registry }: { readonly logs: LogStore; readonly registry: DriverRegistry },
  { point, chosen, scope }: ReplayRequest,
): Promise<Readonly<Record<string, PlannedReplay>>> => {
  const wanted = wantedInstant(chosen);
  if (wanted === undefined) return {};
  const { service, components } = point.manifest;
  const replays: Record<string, PlannedReplay> = {};
  const all = await logs.spans(service);
  for (const component of scope) {
    const captured = components[component];
    const begin =
      captured === undefined ? null : (registry.components.get(captured.driver)?.logs?.startOf(captured) ?? null);
    if (begin === null) continue;
    const own = all.filter((span) => span.component === component);
    const span = own.find(({ line, from, to }) => line === begin.line && isWithin(begin.from, from, to));
    if (span === undefined) continue;
    const isBeyond = wanted === null || Date.parse(wanted) > Date.parse(span.toAt);
    const later = own.find(({ fromAt }) => Date.parse(fromAt) > Date.parse(span.toAt));
    if (wanted !== null && isBeyond && later !== undefined) throw gap(point, wanted, span, later);
    const found =
      wanted === null || isBeyond
        ? { position: span.to, at: span.toAt }
        : await logs.positionAt({ service, component, line: span.line, at: wanted });
    if (found === null || comparePositions(found.position, begin.from) <= 0) continue;
    replays[component] = { line: span.line, from: begin.from, to: found.position, at: found.at };
  }
  return replays;
};

const isWithin = (position: string, from: string, to: string): boolean =>
  comparePositions(from, position) <= 0 && comparePositions(position, to) <= 0;

/** @returns null for the end of the log, undefined where the point itself is meant */
const wantedInstant = (chosen: PointChoice): string | null | undefined => {
  switch (chosen.kind) {
    case "last":
      return null;
    case "instant":
    case "incident":
    case "mark":
    case "run":
      return chosen.at;
    case "id":
    case "verified":
      return undefined;
    default:
      return chosen satisfies never;
  }
};

const gap = ({ manifest }: RecoveryPoint, wanted: string, before: LogSpan, after: LogSpan): RefloatError => {
  const { service, component } = before;
  const isInIt = Date.parse(wanted) < Date.parse(after.fromAt);
  return new RefloatError(
    "log.gap",
    isInIt
      ? `${wanted} lies in a gap of the log of ${component}, from ${before.toAt} to ${after.fromAt}`
      : `between the point of ${manifest.consistentAt} and ${wanted} the log of ${component} has a gap, from ${before.toAt} to ${after.fromAt}`,
    {
      context: { component, before: before.toAt, after: after.fromAt },
      state: "nothing was changed",
      hint: `the last moment before it is ${before.toAt}; moments after ${after.fromAt} are reached from a point that was taken after it`,
      nextCommand: `refloat plan ${service} --at ${before.toAt}`,
    },
  );
};
