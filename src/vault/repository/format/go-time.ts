/**
 * Instants in nanoseconds since 1970, and their text as Go's RFC 3339 with nanoseconds writes them. Every entry of a tree has three, so
 * this is on the path of every listing.
 */

const billion = 1_000_000_000n;
const dot = 0x2e;
const zero = 0x30;
const zulu = 0x5a;

/** Go refuses to write years of other than four digits, and restic moves such times to the nearest it can. */
const earliestNs = -62_167_219_200n * billion;
const latestNs = 253_402_300_799n * billion + 999_999_999n;

/** Neighbouring entries often have the same second. */
let lastSecond = Number.NaN;
let lastText = "";

const secondText = (second: number): string => {
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toISOString().slice(0, 19);
    lastSecond = second;
  }
  return lastText;
};

/** Always in UTC, so that equal trees have equal ids whatever the time zone of the machine. */
export const formatGoTime = (ns: bigint): string => {
  const clamped = ns < earliestNs ? earliestNs : ns > latestNs ? latestNs : ns;
  let second = Number(clamped / billion);
  let rest = Number(clamped % billion);
  if (rest < 0) {
    rest += 1e9;
    second -= 1;
  }
  if (rest === 0) return `${secondText(second)}Z`;
  const fraction = String(rest + 1e9);
  let end = fraction.length;
  while (fraction.charCodeAt(end - 1) === zero) end -= 1;
  return `${secondText(second)}.${fraction.slice(1, end)}Z`;
};

const shape = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

const twoDigits = (text: string, at: number): number =>
  (text.charCodeAt(at) - zero) * 10 + text.charCodeAt(at + 1) - zero;

/**
 * Days since 1970 in the Gregorian calendar, also before it was there; months and days beyond their ends count on. Years begin in March here,
 * so that the leap day is the last one (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). A Date takes ten times as long.
 */
const daysSince1970 = (year: number, month: number, day: number): number => {
  const months = year * 12 + month - 1;
  const monthOfYear = ((months % 12) + 12) % 12;
  const fromMarch = Math.floor(months / 12) - (monthOfYear < 2 ? 1 : 0);
  const era = Math.floor(fromMarch / 400);
  const yearOfEra = fromMarch - era * 400;
  const dayOfYear = Math.floor((153 * ((monthOfYear + 10) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * 146_097 + yearOfEra * 365 + leapDays + dayOfYear - 719_468;
};

/** @returns undefined if it is no such text */
export const parseGoTime = (text: string): bigint | undefined => {
  if (!shape.test(text)) return undefined;
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  let second =
    daysSince1970(year, twoDigits(text, 5), twoDigits(text, 8)) * 86_400 +
    twoDigits(text, 11) * 3600 +
    twoDigits(text, 14) * 60 +
    twoDigits(text, 17);
  let at = 19;
  let nanoseconds = 0;
  if (text.charCodeAt(at) === dot) {
    let weight = 1e8;
    for (at += 1; ; at += 1) {
      const digit = text.charCodeAt(at) - zero;
      if (digit < 0 || digit > 9) break;
      nanoseconds += digit * weight;
      weight = weight > 1 ? weight / 10 : 0;
    }
  }
  if (text.charCodeAt(at) !== zulu) {
    const offset = twoDigits(text, at + 1) * 3600 + twoDigits(text, at + 4) * 60;
    second -= text[at] === "-" ? -offset : offset;
  }
  return BigInt(second) * billion + BigInt(nanoseconds);
};
