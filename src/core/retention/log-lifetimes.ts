/**
 * Which pieces of logs may go: those that come before every point that is kept, since nothing can be rolled forward by them. Where the component
 * declares `pitr:`, only what its last so many days need; the point that they begin with is kept for that. Pure.
 */
import { coveredPieces, joinedSpans, linesOf, logKey } from "../logs/log-spans.ts";
import { comparePositions } from "../logs/log-position.ts";
import type { LogStart } from "../ports/logs.ts";
import type { StoredLogPiece } from "../ports/vault-logs.ts";
import { parseDuration } from "../time/duration.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { LogSpan } from "../../model/log-span.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";

/** Where going on from a component of a point begins in its log; null where only its time is known. */
export type LogBegin = LogStart | null;

export type LogKeepReason =
  /** The oldest point that it leads on from. */
  | { readonly kind: "point"; readonly point: string; readonly at: string }
  | { readonly kind: "incident"; readonly since: string }
  /** It is not finished, and goes on by it. */
  | { readonly kind: "run"; readonly run: number }
  | { readonly kind: "no-policy" }
  | { readonly kind: "doubt" }
  /** No point of the component is there yet. */
  | { readonly kind: "no-point" };

export type LogDecision = {
  readonly piece: StoredLogPiece;
  /** `twice`: other pieces have all of it, as after a joining that was killed; it goes. */
  readonly verdict: "keep" | "expire" | "twice";
  /** Null of one that goes. */
  readonly reason: LogKeepReason | null;
};

export type LogLifetimesInput = {
  /** Of one service, in any order. */
  readonly pieces: readonly StoredLogPiece[];
  /** Those of the service that stay, in any order. */
  readonly kept: readonly RecoveryPoint[];
  readonly beginOf: (point: RecoveryPoint, component: string, lines: readonly string[]) => LogBegin;
  /** By component, how long any moment is to be reached; null for as long as there are points. */
  readonly windowMs: (component: string) => number | null;
  /** Why all of it stays; null when nothing speaks for that. */
  readonly all: Exclude<LogKeepReason, { readonly kind: "point" | "no-point" | "run" }> | null;
  /** What runs that are not finished read. */
  readonly needed?: readonly NeededLog[];
  readonly now: string;
};

/** A stretch of a component's log that a run goes on by. */
export type NeededLog = Pick<LogSpan, "service" | "component" | "line" | "from" | "to"> & { readonly run: number };

const takenAt = ({ manifest }: RecoveryPoint): number => Date.parse(manifest.consistentAt);

/** `pitr: 7d` of a component; null without it. */
export const pitrMs = (service: ServiceDeclaration | undefined, component: string): number | null => {
  const declared = service?.components[component]?.options["pitr"];
  return typeof declared === "string" ? (parseDuration(declared) ?? null) : null;
};

/** By when all of the component had been read: a member may be captured long after the point began. */
const endedAt = ({ manifest }: RecoveryPoint, component: string): number =>
  Date.parse(manifest.components[component]?.window.endAt ?? manifest.consistentAt);

/**
 * The point that a window begins with: the newest one whose component is from before it; the oldest one while there is none.
 * @param points in any order
 */
export const windowBase = (
  points: readonly RecoveryPoint[],
  component: string,
  windowMs: number,
  now: string,
): RecoveryPoint | undefined => {
  const own = points
    .filter(({ manifest, missing }) => manifest.components[component] !== undefined && !missing.includes(component))
    .toSorted((a, b) => takenAt(b) - takenAt(a));
  return own.find((point) => endedAt(point, component) <= Date.parse(now) - windowMs) ?? own.at(-1);
};

const leadsOn = (piece: StoredLogPiece, begin: LogBegin, point: RecoveryPoint): boolean => {
  if (begin?.line === piece.line) return comparePositions(piece.to, begin.head ?? begin.from) >= 0;
  const captured = point.manifest.components[piece.component];
  return captured !== undefined && Date.parse(piece.toAt) >= Date.parse(captured.window.beginAt);
};

const isNeeded = (piece: StoredLogPiece, { service, component, line, from, to }: NeededLog): boolean =>
  logKey(piece) === logKey({ service, component }) &&
  piece.line === line &&
  comparePositions(piece.from, to) < 0 &&
  comparePositions(piece.to, from) > 0;

export const decideLogs = ({
  pieces,
  kept,
  beginOf,
  windowMs,
  all,
  needed = [],
  now,
}: LogLifetimesInput): readonly LogDecision[] =>
  [...Map.groupBy(pieces, ({ component }) => component)].flatMap(([component, own]) => {
    const oldestFirst = kept
      .filter(({ manifest }) => manifest.components[component] !== undefined)
      .toSorted((a, b) => takenAt(a) - takenAt(b));
    const window = windowMs(component);
    const base = window === null ? undefined : windowBase(oldestFirst, component, window, now);
    const bases = base === undefined ? oldestFirst : oldestFirst.slice(oldestFirst.indexOf(base));
    const twice = new Set(coveredPieces(own));
    const lines = linesOf(own);
    return own.map((piece): LogDecision => {
      if (twice.has(piece)) return { piece, verdict: "twice", reason: null };
      if (all !== null) return { piece, verdict: "keep", reason: all };
      if (oldestFirst.length === 0) return { piece, verdict: "keep", reason: { kind: "no-point" } };
      const point = bases.find((candidate) => leadsOn(piece, beginOf(candidate, component, lines), candidate));
      if (point !== undefined) {
        return {
          piece,
          verdict: "keep",
          reason: { kind: "point", point: point.id, at: point.manifest.consistentAt },
        };
      }
      const reader = needed.find((one) => isNeeded(piece, one));
      return reader === undefined
        ? { piece, verdict: "expire", reason: null }
        : { piece, verdict: "keep", reason: { kind: "run", run: reader.run } };
    });
  });

export type LogFate = LogSpan & Pick<LogDecision, "verdict" | "reason"> & { readonly pieces: number };

/** For people: stretches of one fate, oldest first. */
export const logFates = (decisions: readonly LogDecision[]): readonly LogFate[] =>
  [
    ...Map.groupBy(decisions, ({ piece, verdict, reason }) =>
      JSON.stringify([logKey(piece), piece.line, verdict, reason]),
    ).values(),
  ].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { verdict, reason } = first;
    return joinedSpans(group.map(({ piece }) => piece)).map((span) => ({
      ...span,
      verdict,
      reason,
      pieces: group.length,
    }));
  });
