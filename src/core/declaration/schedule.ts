/** The `schedule:` of a service: an interval (`every 30m`) or a cron expression. Says when, runs nothing. */
import { CronPattern } from "croner";
import { formatDuration, parseDuration } from "../time/duration.ts";
import { guessDuration } from "./guess-duration.ts";

export type Schedule =
  | { readonly kind: "every"; readonly everyMs: number }
  | { readonly kind: "cron"; readonly pattern: string }
  | { readonly kind: "unreadable"; readonly why?: string; readonly hint: string };

const forms = 'write an interval such as "every 30m" or a cron expression such as "0 */4 * * *"';

/** Words for the usual intervals, with or without `every`. */
const intervalWords = new Map<string, string>(
  Object.entries({
    minute: "1m",
    minutely: "1m",
    hour: "1h",
    hourly: "1h",
    day: "1d",
    daily: "1d",
    week: "1w",
    weekly: "1w",
  }),
);

const guessInterval = (text: string): string | undefined =>
  guessDuration(text) ?? intervalWords.get(text.trim().toLowerCase());

const shortestMs = 1_000;

export const readSchedule = (text: string): Schedule => {
  const interval = /^every\s+(.*)$/.exec(text.trim())?.[1];
  if (interval !== undefined) {
    const everyMs = parseDuration(interval);
    if (everyMs === undefined) {
      const guess = guessInterval(interval);
      return { kind: "unreadable", hint: guess === undefined ? forms : `write "every ${guess}"` };
    }
    if (everyMs < shortestMs)
      return { kind: "unreadable", hint: `the shortest interval is ${formatDuration(shortestMs)}` };
    return { kind: "every", everyMs };
  }
  const guess = guessInterval(text);
  if (guess !== undefined) return { kind: "unreadable", hint: `write "every ${guess}"` };
  if (!/^(@[a-z]+|\S+(\s+\S+){4,5})$/.test(text.trim())) return { kind: "unreadable", hint: forms };
  try {
    const pattern = new CronPattern(text.trim());
    return { kind: "cron", pattern: pattern.pattern };
  } catch (error) {
    const why = (error instanceof Error ? error.message : "").replace(/^CronPattern: /, "");
    return { kind: "unreadable", why: why.charAt(0).toLowerCase() + why.slice(1), hint: forms };
  }
};
