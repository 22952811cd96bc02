/**
 * Between instants and what a clock on the wall of a time zone shows. Knows daylight saving: an hour that is skipped has no
 * instant, an hour that is repeated has two; neither is guessed at here.
 */

/** Fields of a wall clock; `month` is 1-12. */
export type WallTime = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
};

const dayMs = 86_400_000;

/** Formatters cost a millisecond to make and are asked for again and again by tables. */
const formatters = new Map<string, Intl.DateTimeFormat>();

const formatterFor = (timeZone: string): Intl.DateTimeFormat => {
  const known = formatters.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-GB-u-hc-h23", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  formatters.set(timeZone, made);
  return made;
};

export const wallTimeAt = (instant: Date, timeZone: string): WallTime => {
  const fields = new Map(
    formatterFor(timeZone)
      .formatToParts(instant)
      .map((part) => [part.type, Number(part.value)]),
  );
  const field = (name: Intl.DateTimeFormatPartTypes): number => fields.get(name) ?? 0;
  return {
    year: field("year"),
    month: field("month"),
    day: field("day"),
    hour: field("hour"),
    minute: field("minute"),
    second: field("second"),
    millisecond: instant.getUTCMilliseconds(),
  };
};

const asUtc = (wall: WallTime): number =>
  Date.UTC(wall.year, wall.month - 1, wall.day, wall.hour, wall.minute, wall.second, wall.millisecond);

/** Minutes that the zone's clocks are ahead of UTC at the instant. */
export const offsetMinutesAt = (instant: Date, timeZone: string): number =>
  Math.round((asUtc(wallTimeAt(instant, timeZone)) - instant.getTime()) / 60_000);

/** All instants at which the zone's clocks show `wall`: none in a skipped hour, two in a repeated one. Earliest first. */
export const instantsOf = (wall: WallTime, timeZone: string): readonly Date[] => {
  const shown = asUtc(wall);
  const offsets = new Set([-dayMs, 0, dayMs].map((shift) => offsetMinutesAt(new Date(shown + shift), timeZone)));
  return [...offsets]
    .map((offset) => new Date(shown - offset * 60_000))
    .filter((candidate) => asUtc(wallTimeAt(candidate, timeZone)) === shown)
    .sort((a, b) => a.getTime() - b.getTime());
};

/** The same wall time `days` calendar days later (or earlier). */
export const shiftDays = (wall: WallTime, days: number): WallTime => {
  const shifted = new Date(asUtc(wall) + days * dayMs);
  return {
    ...wall,
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
  };
};
