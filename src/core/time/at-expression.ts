/**
 * Reads what a person gives to `--at` and freezes it: an instant, "last", what a mark or a run is called, or the beginning of a point's id. A time that
 * is vague, ambiguous or in the future is refused with examples, never guessed: a wrong guess here restores the wrong data. Finding the point is
 * not done here, nor is whether there is such a mark or run, nor a place in a log.
 */
import type { ParsedResult } from "chrono-node";
import { GB } from "chrono-node/en";
import { RefloatError } from "../../model/refloat-error.ts";
import { type WallTime, instantsOf, offsetMinutesAt, shiftDays, wallTimeAt } from "./wall-time.ts";

export type AtExpression =
  | { readonly kind: "last"; readonly text: string }
  /** The newest point whose bytes were read and were sound. */
  | { readonly kind: "last-verified"; readonly text: string }
  /** `notTime`: why it is no time, for a name that nothing bears; null where a mark was plainly meant. */
  | { readonly kind: "before-mark"; readonly text: string; readonly name: string; readonly notTime: string | null }
  /** A number, or the beginning of a run's uid. */
  | { readonly kind: "before-run"; readonly text: string; readonly run: string }
  /** `instant` is ISO 8601 in UTC. `ahead`: the day that was taken, `2026-11-19`, since what was said is still to come today. */
  | { readonly kind: "instant"; readonly text: string; readonly instant: string; readonly ahead?: string }
  /** At least four hex characters, lower case. */
  | { readonly kind: "id"; readonly text: string; readonly prefix: string }
  /** A place in the log of a component, as it was found there: never read here. `what`: `xid 1234`. `at`: by the clock of the source, ISO. */
  | {
      readonly kind: "log-target";
      readonly text: string;
      readonly what: string;
      readonly isBefore: boolean;
      readonly component: string;
      readonly line: string;
      readonly position: string;
      readonly at: string;
    };

const examples = `try "2 hours ago", 14:05, "2026-11-20 14:05", 2026-11-20T14:05:00Z, last, "last verified", "before MARK", "before run 42", or the first letters of a point's id`;

const unclear = (text: string, why: string, hint = examples): RefloatError =>
  new RefloatError("time.unclear", `cannot read the time "${text}": ${why}`, { hint, context: { text, why } });

const parser = GB;

/** The words that may stand before a time without changing it: the last point at or before it is meant in any case. */
const leading = /^(?:at|on|(?:just )?before)\s+/i;

/** Quotes within the text, for a name that would be read as something else. */
const quotes = /^(?:"(?<double>.*)"|'(?<single>.*)'|\u201C(?<curly>.*)\u201D)$/u;

const beforeForm = /^(?:just )?before (?<what>.+)$/i;
const markForm = /^(?:the )?mark (?<name>.+)$/i;
const runForm = /^(?:the )?run #?(?<run>\d+|[0-9a-f]{8}[0-9a-f-]*)$/i;

const unquoted = (text: string): string | null => {
  const { double, single, curly } = quotes.exec(text)?.groups ?? {};
  return (double ?? single ?? curly)?.trim() || null;
};

/** "before X": a run, or a mark that is plainly meant, whatever else its name could be read as. */
const plainlyBefore = (text: string): AtExpression | null => {
  const what = beforeForm.exec(text)?.groups?.["what"];
  if (what === undefined) return null;
  const quoted = unquoted(what) ?? markForm.exec(what)?.groups?.["name"];
  if (quoted !== undefined) return { kind: "before-mark", text, name: unquoted(quoted) ?? quoted, notTime: null };
  const run = runForm.exec(what)?.groups?.["run"];
  return run === undefined ? null : { kind: "before-run", text, run: run.toLowerCase() };
};

const relative = (result: ParsedResult): boolean => /\bago$/i.test(result.text.trim());

const wallTimeOf = (result: ParsedResult): WallTime => {
  const field = (name: Parameters<ParsedResult["start"]["get"]>[0]): number => result.start.get(name) ?? 0;
  return {
    year: field("year"),
    month: field("month"),
    day: field("day"),
    hour: field("hour"),
    minute: field("minute"),
    second: field("second"),
    millisecond: field("millisecond"),
  };
};

/** How many days to go back when a time of day, or a weekday, would lie ahead: the most recent past is meant. */
const recurrenceDays = (result: ParsedResult): number | null => {
  if (result.start.isCertain("day")) return null;
  return result.start.isCertain("weekday") ? 7 : result.tags().has("casualReference/yesterday") ? null : 1;
};

const instantOfWall = (text: string, wall: WallTime, timeZone: string): Date => {
  const [first, second] = instantsOf(wall, timeZone);
  const clock = `${String(wall.hour).padStart(2, "0")}:${String(wall.minute).padStart(2, "0")}`;
  if (first === undefined)
    throw unclear(text, `${clock} did not exist on that day in ${timeZone}, the clocks went forward`);
  if (second !== undefined) {
    throw unclear(
      text,
      `${clock} happened twice on that day in ${timeZone}, the clocks went back`,
      `say which: ${first.toISOString()} or ${second.toISOString()}`,
    );
  }
  return first;
};

type Meant = { readonly instant: Date; readonly ahead?: string };

const instantOf = (text: string, result: ParsedResult, now: Date, timeZone: string): Meant => {
  if (relative(result)) return { instant: result.start.date() };
  if (!result.start.isCertain("hour")) throw unclear(text, "it names a day but no time of day");
  const zoned = result.start.isCertain("timezoneOffset");
  const wall = wallTimeOf(result);
  const at = (moved: WallTime): Date => {
    if (!zoned) return instantOfWall(text, moved, timeZone);
    const days = moved === wall ? 0 : (recurrenceDays(result) ?? 0);
    return new Date(result.start.date().getTime() - days * 86_400_000);
  };
  const meant = at(wall);
  const back = recurrenceDays(result);
  if (meant <= now || back === null) return { instant: meant };
  const instant = at(shiftDays(wall, -back));
  const { year, month, day } = wallTimeAt(instant, timeZone);
  return { instant, ahead: [year, month, day].map((part) => String(part).padStart(2, "0")).join("-") };
};

/**
 * @param now the moment that "ago" counts from; a future time is refused
 * @param timeZone IANA name (`Europe/Berlin`); what times without a zone of their own mean
 * @throws RefloatError time.unclear with examples
 */
export const parseAt = (text: string, now: Date, timeZone: string): AtExpression => {
  const said = text.trim().replaceAll(/\s+/g, " ");
  if (said === "") throw unclear(text, "it is empty");
  if (/^(?:last|latest)$/i.test(said)) {
    if (said.toLowerCase() === "latest") throw unclear(text, `the newest point is called "last"`, "--at last");
    return { kind: "last", text: said };
  }
  if (/^[0-9a-f]{4,64}$/i.test(said)) return { kind: "id", text: said, prefix: said.toLowerCase() };
  if (/^(?:the )?last verified(?: point)?$/i.test(said)) return { kind: "last-verified", text: said };
  const plain = plainlyBefore(said);
  if (plain !== null) return plain;
  const name = beforeForm.exec(said)?.groups?.["what"];
  try {
    const { instant, ahead } = readInstant(text, said, now, timeZone);
    return {
      kind: "instant",
      text: said,
      instant: instant.toISOString(),
      ...(ahead === undefined ? {} : { ahead }),
    };
  } catch (error) {
    if (name === undefined || !(error instanceof RefloatError && error.code === "time.unclear")) throw error;
    const { why } = error.context;
    return { kind: "before-mark", text: said, name, notTime: typeof why === "string" ? why : error.message };
  }
};

/** @throws RefloatError time.unclear */
const readInstant = (text: string, said: string, now: Date, timeZone: string): Meant => {
  if (/^\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b/.test(said)) {
    throw unclear(text, "it may be day and month or month and day", `write the date as 2026-11-20: ${examples}`);
  }
  const bare = said.replace(leading, "");
  // The reference offset is that of now; times of day far away are converted by the zone's own rules in instantOf.
  const results = parser.parse(bare, { instant: now, timezone: offsetMinutesAt(now, timeZone) });
  const [result, ...more] = results;
  if (result === undefined) throw unclear(text, "no time can be found in it");
  if (more.length > 0 || result.end != null) throw unclear(text, "it names more than one moment");
  if (result.text.trim() !== bare) {
    throw unclear(text, `only "${result.text.trim()}" of it can be read`);
  }
  const meant = instantOf(text, result, now, timeZone);
  if (meant.instant > now) throw unclear(text, `${meant.instant.toISOString()} lies in the future`);
  return meant;
};
