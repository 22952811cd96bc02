/** Between which moments `--at` can go to any second: from the last point before them the log leads there, as `resolveReplays` will find it. Pure. */
import type { LogSpan } from "../../model/log-span.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import { logBeginOf } from "../retention/vault-logs.ts";
import { withoutLeft } from "../points/select-point.ts";
import { linesOf, spanFrom } from "./log-spans.ts";

export type ReachableRange = {
  readonly component: string;
  /** ISO: of the point. */
  readonly fromAt: string;
  readonly toAt: string;
};

/**
 * What the vault has of a log is more than that: behind a change of the line (a promotion of PostgreSQL) nothing is reached before the next point, and what
 * lies before the first point is reached from nowhere.
 * @param points of one service, in any order @param spans of the same @returns oldest first, joined where they meet
 */
export const reachableRanges = (
  { registry }: { readonly registry: DriverRegistry },
  points: readonly RecoveryPoint[],
  spans: readonly LogSpan[],
): readonly ReachableRange[] => {
  const ordered = withoutLeft(points)
    .map((point) => ({ point, atMs: Date.parse(point.manifest.consistentAt) }))
    .toSorted((a, b) => a.atMs - b.atMs);
  return [...Map.groupBy(spans, ({ component }) => component)].flatMap(([component, own]) => {
    const lines = linesOf(own);
    const ranges: { fromMs: number; toMs: number }[] = [];
    for (const [index, { point, atMs }] of ordered.entries()) {
      const begin = point.missing.includes(component) ? null : logBeginOf(registry)(point, component, lines);
      const span = begin === null ? undefined : spanFrom(own, begin);
      if (span === undefined) continue;
      // The next point is the one that a later moment is reached from.
      const toMs = Math.min(Date.parse(span.toAt), ordered[index + 1]?.atMs ?? Number.POSITIVE_INFINITY);
      if (toMs <= atMs) continue;
      const last = ranges.at(-1);
      if (last?.toMs === atMs) last.toMs = toMs;
      else ranges.push({ fromMs: atMs, toMs });
    }
    return ranges.map(({ fromMs, toMs }) => ({
      component,
      fromAt: new Date(fromMs).toISOString(),
      toAt: new Date(toMs).toISOString(),
    }));
  });
};
