/** What the pieces of logs that a vault holds amount to: stretches without a gap, and the gaps between them. Pure. */
import type { LogSpan } from "../../model/log-span.ts";
import { comparePositions } from "./log-position.ts";

/** What is missing between two stretches of one component's log. */
export type LogGap = {
  readonly service: string;
  readonly component: string;
  readonly before: LogSpan;
  readonly after: LogSpan;
};

const byPlace = (a: LogSpan, b: LogSpan): number =>
  comparePositions(a.from, b.from) || comparePositions(b.to, a.to) || Date.parse(b.toAt) - Date.parse(a.toAt);

/** Pieces of one line in the order of their places; of those that begin at one place the one that has most comes first. */
export const inOrder = <Piece extends LogSpan>(pieces: readonly Piece[]): readonly Piece[] => pieces.toSorted(byPlace);

/** Those of one log, however its line is called. */
export const logKey = ({ service, component }: Pick<LogSpan, "service" | "component">): string =>
  `${service} ${component}`;

const lineKey = (span: LogSpan): string => `${logKey(span)} ${span.line}`;

const byTime = (a: LogSpan, b: LogSpan): number =>
  Date.parse(a.fromAt) - Date.parse(b.fromAt) || Date.parse(a.toAt) - Date.parse(b.toAt);

const later = (a: string, b: string): string => (Date.parse(a) >= Date.parse(b) ? a : b);

const join = (pieces: readonly LogSpan[]): readonly LogSpan[] => {
  const spans: LogSpan[] = [];
  for (const { service, component, driver, line, from, to, fromAt, toAt } of inOrder(pieces)) {
    const last = spans.at(-1);
    if (last === undefined || comparePositions(from, last.to) > 0) {
      spans.push({ service, component, driver, line, from, to, fromAt, toAt });
      continue;
    }
    spans[spans.length - 1] = {
      ...last,
      to: comparePositions(to, last.to) > 0 ? to : last.to,
      toAt: later(toAt, last.toAt),
    };
  }
  return spans;
};

/** Pieces joined where they meet, oldest first. */
export const joinedSpans = (pieces: readonly LogSpan[]): readonly LogSpan[] =>
  [...Map.groupBy(pieces, lineKey).values()].flatMap(join).toSorted(byTime);

/**
 * Between stretches of one line, whatever their times say: what meets was joined. Two lines that follow each other without a gap in time, as after a
 * promotion, leave none.
 */
export const logGaps = (spans: readonly LogSpan[]): readonly LogGap[] =>
  [...Map.groupBy(spans, logKey).values()].flatMap((unordered) => {
    const own = unordered.toSorted(byTime);
    return own.flatMap((after, index): readonly LogGap[] => {
      const sameLine = inOrder(own.filter(({ line }) => line === after.line));
      const before = sameLine[sameLine.indexOf(after) - 1] ?? own[index - 1];
      if (before === undefined) return [];
      if (before.line !== after.line && Date.parse(after.fromAt) <= Date.parse(before.toAt)) return [];
      return [{ service: after.service, component: after.component, before, after }];
    });
  });

export const linesOf = (spans: readonly LogSpan[]): readonly string[] => [...new Set(spans.map(({ line }) => line))];

/** The stretch that goes on from a place, as from the end of a captured point. */
export const spanFrom = (
  spans: readonly LogSpan[],
  { line, from }: { readonly line: string; readonly from: string },
): LogSpan | undefined =>
  spans.find(
    (span) => span.line === line && comparePositions(span.from, from) <= 0 && comparePositions(from, span.to) <= 0,
  );

/** Those of which another one of the same line has all, in place and time. */
export const coveredPieces = <Piece extends LogSpan>(pieces: readonly Piece[]): readonly Piece[] =>
  [...Map.groupBy(pieces, lineKey).values()].flatMap((line) => {
    const kept: Piece[] = [];
    const covered: Piece[] = [];
    for (const piece of inOrder(line)) {
      const within = (other: Piece): boolean =>
        comparePositions(other.from, piece.from) <= 0 &&
        comparePositions(other.to, piece.to) >= 0 &&
        Date.parse(other.toAt) >= Date.parse(piece.toAt);
      if (kept.slice(-covering).some(within)) covered.push(piece);
      else kept.push(piece);
    }
    return covered;
  });

/** Whether one of the spans has all of a piece, in place and time. */
export const isHeld = (piece: LogSpan, spans: readonly LogSpan[]): boolean =>
  spans.some(
    (span) =>
      lineKey(span) === lineKey(piece) &&
      comparePositions(span.from, piece.from) <= 0 &&
      comparePositions(span.to, piece.to) >= 0 &&
      Date.parse(span.toAt) >= Date.parse(piece.toAt),
  );

/** Of pieces in order only a few that came before one can reach beyond it. */
const covering = 8;
