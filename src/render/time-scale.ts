/** The scale above lanes of time: how many columns an hour or a day takes, and where an instant lies. */
import { instantsOf, shiftDays, wallTimeAt } from "../core/time/wall-time.ts";
import { formatDay, formatMinute, zoneName } from "./clock-times.ts";
import { padEnd, textWidth } from "./fit-text.ts";
import type { Screen } from "./screen.ts";

export type TimeScale = {
  /** Of an instant in milliseconds; below zero for one before the scale. */
  readonly columnOf: (instant: number) => number;
  /** Columns up to now. */
  readonly width: number;
  /** Columns of the hours above, which may be more. */
  readonly rest: number;
  /** Hours or days, with what time it is. */
  readonly header: string;
};

export type ScaleRequest = {
  /** Milliseconds. */
  readonly begin: number;
  /** ISO 8601. */
  readonly now: string;
  readonly labelWidth: number;
  /** Columns that are wanted on the right of the lanes; what time it is stands there too. */
  readonly sideWidth: number;
};

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const tickSteps = [
  5 * minuteMs,
  10 * minuteMs,
  15 * minuteMs,
  30 * minuteMs,
  hourMs,
  2 * hourMs,
  3 * hourMs,
  6 * hourMs,
  12 * hourMs,
  dayMs,
  2 * dayMs,
  7 * dayMs,
  14 * dayMs,
  28 * dayMs,
];

const columnsPerTick = 12;

export const timeScale = ({ begin, now, labelWidth, sideWidth }: ScaleRequest, screen: Screen): TimeScale => {
  const end = Date.parse(now);
  const clock = `now ${formatMinute(now, now, screen.timeZone)} ${zoneName(now, screen.timeZone)}`;
  const room = Math.max(columnsPerTick, screen.width - labelWidth - 2 - Math.max(textWidth(clock), sideWidth));
  // One tick is kept back: the lane begins at the round time before the first point.
  const smallestStep = ((end - begin) * columnsPerTick) / Math.max(columnsPerTick, room - columnsPerTick);
  const step = tickSteps.find((ms) => ms >= smallestStep) ?? Math.ceil(smallestStep / dayMs) * dayMs;
  const first = floorToStep(begin, step, screen.timeZone);
  const columnOf = (instant: number): number => Math.round(((instant - first) / step) * columnsPerTick);
  const width = Math.min(columnOf(end) + 1, room + columnsPerTick);
  const ticks: string[] = [];
  for (let tick = first; columnOf(tick) < width; tick += step) ticks.push(tickLabel(tick, step, screen));
  const hours = ticks
    .map((tick) => padEnd(tick, columnsPerTick))
    .join("")
    .trimEnd();
  const rest = Math.max(width, textWidth(hours));
  return {
    columnOf,
    width,
    rest,
    header: `${" ".repeat(labelWidth)}${screen.paint("dim", padEnd(hours, rest))}  ${clock}`,
  };
};

/** The last round wall time at or before the instant: an hour by the clock on the wall, a day at its midnight. */
const floorToStep = (instant: number, step: number, timeZone: string): number => {
  const wall = wallTimeAt(new Date(instant), timeZone);
  const midnight = { ...wall, hour: 0, minute: 0, second: 0, millisecond: 0 };
  // Where midnight itself is skipped by daylight saving, that of the day before will do.
  const start = (instantsOf(midnight, timeZone)[0] ?? instantsOf(shiftDays(midnight, -1), timeZone)[0])?.getTime();
  if (start === undefined) return instant;
  return step >= dayMs ? start : start + Math.floor((instant - start) / step) * step;
};

const tickLabel = (tick: number, step: number, { timeZone }: Screen): string => {
  // Steps of days may come to lie an hour before midnight when the clocks go back on the way.
  const instant = new Date(step >= dayMs ? tick + 2 * hourMs : tick).toISOString();
  const { hour, minute } = wallTimeAt(new Date(tick), timeZone);
  const midnight = hour === 0 && minute === 0;
  return step >= dayMs || (midnight && step >= 2 * hourMs)
    ? formatDay(instant, instant, timeZone)
    : formatMinute(instant, instant, timeZone);
};
