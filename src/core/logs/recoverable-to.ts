/** How far a service can be brought back from a point now: of each component the point, or the end of the log that leads on from it. */
import type { LogSpan } from "../../model/log-span.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { Workbench } from "../ports/workbench.ts";
import { logBeginOf } from "../retention/vault-logs.ts";
import { comparePositions } from "./log-position.ts";
import { linesOf, spanFrom } from "./log-spans.ts";

export type LogEnd = {
  readonly component: string;
  readonly toAt: string;
  /** Its end is reached from the last point, or will be once the log has come so far. */
  readonly leadsOn: boolean;
};

export const logEnds = (
  { registry }: Pick<Workbench, "registry">,
  point: RecoveryPoint | null,
  spans: readonly LogSpan[],
): readonly LogEnd[] =>
  [...Map.groupBy(spans, ({ component }) => component)].flatMap(([component, own]) => {
    const newest = own.toSorted((a, b) => Date.parse(b.toAt) - Date.parse(a.toAt))[0];
    if (newest === undefined) return [];
    const begin = point === null ? null : logBeginOf(registry)(point, component, linesOf(own));
    const isAhead = begin?.line === newest.line && comparePositions(begin.from, newest.to) > 0;
    const leadsOn = begin !== null && (isAhead || spanFrom([newest], begin) !== undefined);
    return [{ component, toAt: newest.toAt, leadsOn }];
  });

/** The oldest of what its data goes back to; a release is code, and its age loses no one's work. */
export const recoverableTo = (
  { registry }: Pick<Workbench, "registry">,
  point: RecoveryPoint,
  spans: readonly LogSpan[],
): string => {
  const { manifest } = point;
  const moments = Object.values(manifest.components)
    .filter(({ driver }) => registry.components.get(driver)?.runtime === undefined)
    .map(({ name, window }) => {
      const taken = point.composed === undefined ? manifest.consistentAt : window.beginAt;
      const own = spans.filter(({ component }) => component === name);
      const begin = logBeginOf(registry)(point, name, linesOf(own));
      const end = begin === null ? undefined : spanFrom(own, begin)?.toAt;
      return Math.max(Date.parse(taken), end === undefined ? 0 : Date.parse(end));
    });
  return moments.length === 0 ? manifest.consistentAt : new Date(Math.min(...moments)).toISOString();
};
