/** Sizes and counts as people read them: `1.31 GB`, `4.1 MB`, `5,012 files`. Decimal units, as on a disk's label. */

const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Digits after the point, by what stands before it: enough to tell two points apart, few enough to read aloud. */
const digitsFor = (value: number, unit: number): number => {
  if (unit === 0 || value >= 100) return 0;
  if (unit >= 3) return value >= 10 ? 1 : 2;
  return value >= 10 ? 0 : 1;
};

/** `0 B`, `4 kB`, `4.1 MB`, `212 MB`, `1.31 GB`. */
export const formatBytes = (bytes: number): string => {
  let value = bytes;
  let unit = 0;
  // Before rounding up to 1000 of a unit, the next unit is taken: never `1000 MB`.
  while (unit < byteUnits.length - 1 && Number(value.toFixed(digitsFor(value, unit))) >= 1000) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toFixed(digitsFor(value, unit)))} ${byteUnits[unit] ?? "B"}`;
};

/** `214,000`, the same on every machine. */
export const formatCount = (count: number): string => count.toLocaleString("en-US");

const irregular = new Map([
  ["batches", "batch"],
  ["indexes", "index"],
  ["copies", "copy"],
  ["directories", "directory"],
  ["entries", "entry"],
  ["libraries", "library"],
  ["retries", "retry"],
]);

/** `1 table`, `23 tables`. @param plural as facts name their counts */
export const formatAmount = (count: number, plural: string): string => {
  const singular = irregular.get(plural) ?? (plural.endsWith("s") ? plural.slice(0, -1) : plural);
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
};

/** `a`, `a and b`, `a, b and c`, `a, b and 3 more`. */
export const formatList = (items: readonly string[], limit = 4): string => {
  const shown = items.length > limit ? [...items.slice(0, limit - 1), `${items.length - limit + 1} more`] : items;
  const last = shown.at(-1) ?? "";
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(", ")} and ${last}`;
};
