/**
 * Durations as people write and read them: `15m`, `1h30m`, `0.9s`, `1h51m39s`.
 * Not responsible for time expressions such as "2 hours ago", nor for calendar arithmetic: a day has 24 hours.
 */

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

type Unit = keyof typeof unitMs;

const termPattern = /(\d+(?:\.\d+)?)(ms|[smhdw])/gy;

/** @returns milliseconds, or undefined when the text is no duration: a number with a unit, repeated (`1h30m`) */
export const parseDuration = (text: string): number | undefined => {
  let total = 0;
  let end = 0;
  for (const match of text.matchAll(termPattern)) {
    total += Number(match[1]) * unitMs[match[2] as Unit];
    end = match.index + match[0].length;
  }
  return end > 0 && end === text.length && Number.isFinite(total) ? Math.round(total) : undefined;
};

const padded = (value: number, width: number): string => String(value).padStart(width, "0");

/** Leading unit as it is, the next ones with two digits, trailing zeros left out: `1h51m39s`, `1h05m`, `15m`. */
const joined = (terms: readonly (readonly [number, Unit])[]): string => {
  const used = terms.slice(0, terms.findLastIndex(([value]) => value > 0) + 1);
  return used.map(([value, unit], index) => `${index === 0 ? value : padded(value, 2)}${unit}`).join("");
};

/**
 * For people, to the precision that they act on: `40ms`, `0.9s`, `17.4s`, `52s`, `1m07s`, `1h51m39s`, `6d`, `6d03h`.
 * Never longer than the time it stands for would need in its two or three largest units.
 * @param ms not negative; fractions are rounded
 */
export const formatDuration = (ms: number): string => {
  if (!Number.isFinite(ms)) return "?";
  const positiveMs = Math.max(0, ms);
  if (Math.round(positiveMs) === 0) return "0s";
  if (positiveMs < 99.5) return `${Math.round(positiveMs)}ms`;
  if (positiveMs < 59_950) return `${Number((positiveMs / 1_000).toFixed(1))}s`;
  const seconds = Math.round(positiveMs / 1_000);
  if (seconds < 3_600)
    return joined([
      [Math.floor(seconds / 60), "m"],
      [seconds % 60, "s"],
    ]);
  if (seconds < 86_400)
    return joined([
      [Math.floor(seconds / 3_600), "h"],
      [Math.floor(seconds / 60) % 60, "m"],
      [seconds % 60, "s"],
    ]);
  const hours = Math.round(seconds / 3_600);
  return joined([
    [Math.floor(hours / 24), "d"],
    [hours % 24, "h"],
  ]);
};
