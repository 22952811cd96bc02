/** Ranges as they are typed: `1M..`, `..10k`, `2026-11-20..yesterday 14:00`. Both ends belong to them. */
import { RefloatError } from "../../model/refloat-error.ts";
import { parseAt } from "../time/at-expression.ts";

export type Range = { readonly from: number; readonly to: number };

const parts = (text: string): readonly [string, string] => {
  const at = text.indexOf("..");
  return at === -1 ? [text.trim(), text.trim()] : [text.slice(0, at).trim(), text.slice(at + 2).trim()];
};

const units: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const size = /^(?<number>\d+(?:\.\d+)?)\s*(?<unit>[kmgt]?)(?<binary>i?)b?$/i;

const parseSize = (text: string, whole: string): number => {
  const { number = "", unit = "", binary = "" } = size.exec(text)?.groups ?? {};
  if (number === "") {
    throw new RefloatError("usage", `cannot read the size "${whole}"`, { hint: "try 1M.., ..10k, 1k..2M or 4096" });
  }
  const power = units[unit.toLowerCase()] ?? 1;
  return Number(number) * (binary === "" ? power : 1024 ** Math.round(Math.log10(power) / 3));
};

/** Bytes. @throws RefloatError usage */
export const parseSizeRange = (text: string): Range => {
  const [from, to] = parts(text);
  return {
    from: from === "" ? 0 : parseSize(from, text),
    to: to === "" ? Number.POSITIVE_INFINITY : parseSize(to, text),
  };
};

/** Milliseconds since 1970. A day without a time means all of it. @throws RefloatError time.unclear */
export const parseTimeRange = (text: string, now: Date, timeZone: string): Range => {
  const [from, to] = parts(text);
  const read = (said: string, end: boolean): number => {
    const isDay = /^\d{4}-\d\d-\d\d$/.test(said);
    // Today is not over: its end would lie in the future, which no file has seen.
    if (isDay && end && parseAt(`${said} 00:00`, now, timeZone).kind === "instant") {
      const begin = read(said, false);
      return Math.min(now.getTime(), begin + 86_400_000 - 1);
    }
    const parsed = parseAt(isDay ? `${said} 00:00` : said, now, timeZone);
    if (parsed.kind === "instant") return Date.parse(parsed.instant);
    throw new RefloatError("time.unclear", `cannot read the time "${said}"`, {
      hint: 'try "2026-11-20..", "2 days ago.." or 2026-11-20T14:05:00Z..2026-11-21T00:00:00Z',
    });
  };
  return {
    from: from === "" ? Number.NEGATIVE_INFINITY : read(from, false),
    to: to === "" ? Number.POSITIVE_INFINITY : read(to, true),
  };
};

export const isWithin = ({ from, to }: Range, value: number): boolean => value >= from && value <= to;
