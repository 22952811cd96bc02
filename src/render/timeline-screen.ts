/** What happened to a service: lanes below one scale of time, then the events, newest first. */
import { formatAmount } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import type { ComponentLane, Timeline } from "../core/timeline/build-timeline.ts";
import { shortId } from "../model/identifiers.ts";
import { formatDay, formatTime } from "./clock-times.ts";
import { cutText, hanging, padEnd, textWidth } from "./fit-text.ts";
import { type LaneSigns, laneSigns } from "./lane-signs.ts";
import { type Screen, type Style, lines, nextLine } from "./screen.ts";
import { type Row, renderTable } from "./table.ts";
import { shellWord } from "../core/text/shell-word.ts";
import { type TimeScale, timeScale } from "./time-scale.ts";

export const renderTimeline = (timeline: Timeline, screen: Screen): string => {
  const { service, points, now, since } = timeline;
  const drawn = lanesOf(timeline, laneSigns(screen));
  const labelWidth = Math.min(longestLabel, Math.max(...drawn.map(({ label }) => textWidth(label)))) + 2;
  const scale = timeScale({ begin: Date.parse(since), now, labelWidth, sideWidth: 0 }, screen);
  return lines(
    scale.header,
    drawn.map(({ label, style, draw }) => {
      const cells = Array.from({ length: scale.width }, () => " ");
      draw(brushOn(cells, scale));
      const lane = cells.join("").trimEnd();
      const painted = style === null || lane === "" ? lane : screen.paint(style, lane);
      return `${padEnd(cutText(label, longestLabel), labelWidth)}${painted}`.trimEnd();
    }),
    hanging("", legendOf(timeline, laneSigns(screen)).join(", "), screen).map((line) => screen.paint("dim", line)),
    eventTable(timeline, screen),
    toldNothing(timeline).flatMap((text) => hanging("", text, screen)),
    nextLine(screen, points.length === 0 ? `refloat capture ${service}` : `refloat points ${service}`),
  );
};

/** Who asked for changes and sees none is to know why. */
const toldNothing = ({ changes, logs }: Timeline): readonly string[] => {
  if (changes === undefined || changes.length > 0) return [];
  return logs.length === 0
    ? ["changes: no log was received of this time, so there is nothing to read them from"]
    : ["changes: the logs tell of no large transaction and of no changed definition in this time"];
};

/** Names of components may have 63 letters; the lanes need the room. */
const longestLabel = 16;

type Brush = {
  readonly dot: (instant: string, sign: string) => void;
  /** Until now where `to` is null. */
  readonly span: (from: string, to: string | null, sign: string) => void;
};

/** What begins before the scale is drawn from its edge on; what lies before it is not drawn. */
const brushOn = (cells: string[], { columnOf, width }: TimeScale): Brush => {
  const put = (column: number, sign: string): void => {
    if (column >= 0 && column < width) cells[column] = sign;
  };
  return {
    dot: (instant, sign) => put(columnOf(Date.parse(instant)), sign),
    span: (from, to, sign) => {
      const end = to === null ? width - 1 : columnOf(Date.parse(to));
      for (let column = Math.max(0, columnOf(Date.parse(from))); column <= end; column += 1) put(column, sign);
    },
  };
};

type LaneDrawing = { readonly label: string; readonly style: Style | null; readonly draw: (brush: Brush) => void };

const lanesOf = (timeline: Timeline, signs: LaneSigns): readonly LaneDrawing[] => {
  const { service, points, components, marks, incidents, runs, gaps, logs, reachable, logGaps } = timeline;
  const below = (label: string, wanted: (point: Timeline["points"][number]) => boolean): readonly LaneDrawing[] => {
    const found = points.filter(wanted);
    if (found.length === 0) return [];
    return [{ label, style: "dim", draw: ({ dot }) => found.forEach(({ at }) => dot(at, signs.tick)) }];
  };
  return [
    {
      label: service,
      style: null,
      draw: ({ dot }) => {
        for (const { at, state } of points) dot(at, state === "good" ? signs.point : signs.doubt);
        for (const { at } of marks) dot(at, signs.mark);
      },
    },
    ...components.map((lane) => componentLane(lane, signs)),
    ...[...new Set(logs.map(({ component }) => component))].map((component): LaneDrawing => ({
      label: `log ${component}`,
      style: null,
      draw: ({ span }) => {
        for (const { from, to } of logGaps.filter((gap) => gap.component === component)) span(from, to, signs.missed);
        for (const { fromAt, toAt } of reachable.filter((range) => range.component === component))
          span(fromAt, toAt, signs.range);
      },
    })),
    ...below("verified", ({ verifiedAt }) => verifiedAt !== null),
    ...below("held", ({ held }) => held.length > 0),
    ...below("locked", ({ lockedUntil }) => lockedUntil !== null),
    ...(gaps.length === 0
      ? []
      : [
          {
            label: "missed",
            style: "yellow" as const,
            draw: ({ span }: Brush) => gaps.forEach(({ from, to }) => span(from, to, signs.missed)),
          },
        ]),
    ...(runs.length === 0
      ? []
      : [
          {
            label: "runs",
            style: "cyan" as const,
            draw: ({ span, dot }: Brush) => {
              for (const { beganAt, endedAt } of runs) span(beganAt, endedAt, signs.run);
              for (const { changedAt } of runs) if (changedAt !== null) dot(changedAt, signs.cutover);
            },
          },
        ]),
    ...(incidents.length === 0
      ? []
      : [
          {
            label: "incident",
            style: "red" as const,
            draw: ({ span }: Brush) =>
              incidents.forEach(({ since, closedAt }) => span(since, closedAt, signs.incident)),
          },
        ]),
  ];
};

const componentLane = ({ component, points }: ComponentLane, signs: LaneSigns): LaneDrawing => ({
  label: `  ${component}`,
  style: null,
  draw: ({ dot }) => points.forEach(({ at, lost }) => dot(at, lost ? signs.doubt : signs.point)),
});

/** Only of what is drawn. */
const legendOf = (timeline: Timeline, signs: LaneSigns): readonly string[] => {
  const { points, components, marks, runs, reachable } = timeline;
  const doubted =
    points.some(({ state }) => state !== "good") || components.some((lane) => lane.points.some(({ lost }) => lost));
  return [
    ...(points.length === 0 ? [] : [`${signs.point} point`]),
    ...(doubted ? [`${signs.doubt} failed a check, damaged or suspect`] : []),
    ...(marks.length === 0 ? [] : [`${signs.mark} mark`]),
    ...(reachable.length === 0 ? [] : [`${signs.range} any second`]),
    ...(runs.some(({ changedAt }) => changedAt !== null) ? [`${signs.cutover} live was changed`] : []),
  ];
};

type Event = { readonly at: string; readonly cells: Row };

const eventTable = (timeline: Timeline, screen: Screen): readonly string[] => {
  const events = eventsOf(timeline, screen).toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
  if (events.length === 0) return [];
  return renderTable(
    [{ title: "WHEN" }, { title: "WHAT", wraps: true }],
    events.map(({ cells }) => cells),
    screen,
  );
};

const eventsOf = (timeline: Timeline, screen: Screen): readonly Event[] => {
  const { marks, incidents, runs, gaps, logGaps, points, now, changes = [] } = timeline;
  const signs = laneSigns(screen);
  const time = (at: string): string => formatTime(at, now, screen.timeZone);
  const event = (at: string, text: string, style: Style | null = null): Event => ({
    at,
    cells: [time(at), style === null ? text : { text, style }],
  });
  const locked = points.findLast(({ lockedUntil }) => lockedUntil !== null);
  return [
    ...marks.map(({ at, name }) => event(at, `${signs.mark} ${name}`, "cyan")),
    ...incidents.flatMap(({ since, reason, closedAt }) => [
      event(since, `incident${reason === null ? "" : `: ${reason}`}${closedAt === null ? ", still open" : ""}`, "red"),
      ...(closedAt === null ? [] : [event(closedAt, "incident closed")]),
    ]),
    ...runs.map((run) => event(run.changedAt ?? run.beganAt, describeRun(run))),
    ...gaps.map(({ from, to, missed }) =>
      event(from, describeGap({ from, to: to ?? now, isOpen: to === null, missed }), "yellow"),
    ),
    ...logGaps.map(({ component, from, to }) =>
      event(from, `the log of ${component} has a gap until ${time(to)}: no second in it can be reached`, "red"),
    ),
    ...changes.map(({ component, at, what, words }) =>
      event(at, `${component}: ${what}: --at ${shellWord(words)}`, "yellow"),
    ),
    ...points
      .filter(({ held }) => held.length > 0)
      .map(({ id, at, held }) => event(at, `point ${shortId(id)} is held: ${held.join(", ")}`)),
    ...(locked?.lockedUntil == null
      ? []
      : [
          event(
            locked.at,
            `point ${shortId(locked.id)} is locked until ${formatDay(locked.lockedUntil, now, screen.timeZone)}, as declared`,
          ),
        ]),
  ];
};

const describeRun = ({ number, purpose, state, changedAt }: Timeline["runs"][number]): string => {
  const what = purpose === "undo" ? `run ${number}, an undo,` : `run ${number}`;
  return changedAt === null
    ? `${what} began; ${state}, live was not changed`
    : `${what} changed what is live; ${state}`;
};

const describeGap = ({
  from,
  to,
  isOpen,
  missed,
}: {
  readonly from: string;
  readonly to: string;
  readonly isOpen: boolean;
  readonly missed: number;
}): string => {
  const length = formatDuration(Math.round((Date.parse(to) - Date.parse(from)) / 60_000) * 60_000);
  const due = `${formatAmount(missed, "points")} missed`;
  return isOpen ? `overdue for ${length}: ${due}` : `${due} in ${length}`;
};
