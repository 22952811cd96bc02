/** Instants as a person reads them: the time alone today, with the day on another one, with the zone once per screen. */
import { formatDuration } from "../core/time/duration.ts";
import { type WallTime, wallTimeAt } from "../core/time/wall-time.ts";

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const two = (value: number): string => String(value).padStart(2, "0");

const sameDay = (a: WallTime, b: WallTime): boolean => a.year === b.year && a.month === b.month && a.day === b.day;

/** `29 Nov`, or `29 Nov 2025` in another year than `now`'s. */
export const formatDay = (instant: string, now: string, timeZone: string): string => {
  const wall = wallTimeAt(new Date(instant), timeZone);
  const day = `${wall.day} ${months[wall.month - 1] ?? ""}`;
  return wall.year === wallTimeAt(new Date(now), timeZone).year ? day : `${day} ${wall.year}`;
};

const withDay = (instant: string, now: string, timeZone: string, time: string): string =>
  sameDay(wallTimeAt(new Date(instant), timeZone), wallTimeAt(new Date(now), timeZone))
    ? time
    : `${formatDay(instant, now, timeZone)} ${time}`;

/** `14:00:04` today, `28 Nov 14:00:04` on another day. */
export const formatTime = (instant: string, now: string, timeZone: string): string => {
  const { hour, minute, second } = wallTimeAt(new Date(instant), timeZone);
  return withDay(instant, now, timeZone, `${two(hour)}:${two(minute)}:${two(second)}`);
};

/** `14:00` today, `28 Nov 14:00` on another day. */
export const formatMinute = (instant: string, now: string, timeZone: string): string => {
  const { hour, minute } = wallTimeAt(new Date(instant), timeZone);
  return withDay(instant, now, timeZone, `${two(hour)}:${two(minute)}`);
};

/** `CET`, `EST`, `UTC`; `GMT+5:30` where a zone has no short name of its own. */
export const zoneName = (instant: string, timeZone: string): string => {
  const named = ["en-GB", "en-US"].map(
    (locale) =>
      new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: "short" })
        .formatToParts(new Date(instant))
        .find(({ type }) => type === "timeZoneName")?.value ?? timeZone,
  );
  return named.find((name) => !name.startsWith("GMT") || name === "GMT") ?? named[0] ?? timeZone;
};

/** How long something took, to the precision that says something: `0.9s`, `4.5s`, `39s`, `1m11s`. */
export const formatSpan = (ms: number): string => formatDuration(ms < 9_950 ? ms : Math.round(ms / 1000) * 1000);

/** `0:21`, `12:05`, `1:02:03`: for clocks that run. */
export const formatRunning = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
};
