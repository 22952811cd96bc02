/**
 * Which instants a `keep:` rule holds on to, as `restic forget --keep-*` counts them: from the newest on, the first of each hour, day,
 * ISO week, month and year, up to a count of each; and the oldest of all where a count is left over, so that history is as long as it can
 * be. Counts moments that were taken, not time that has passed: a service that is captured no more loses nothing.
 */
import type { Keep } from "../../model/declaration.ts";
import { offsetMinutesAt, wallTimeAt } from "../time/wall-time.ts";

export const bucketNames = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;
export type BucketName = (typeof bucketNames)[number];

/** `place` counts from 1: the third of 24 hours, say. */
export type BucketPlace = { readonly bucket: BucketName; readonly place: number; readonly of: number };

const dayMs = 86_400_000;

/** `2026-W53` as one number. The week belongs to the year that its Thursday is in. */
const isoWeek = (year: number, month: number, day: number): number => {
  const date = new Date(Date.UTC(year, month - 1, day));
  const thursday = new Date(date.getTime() + (3 - ((date.getUTCDay() + 6) % 7)) * dayMs);
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  return thursday.getUTCFullYear() * 100 + Math.floor((thursday.getTime() - first) / dayMs / 7) + 1;
};

/** What two instants of one bucket have in common, on the clocks of the zone. */
const bucketKeys = (instant: Date, index: number, timeZone: string): Readonly<Record<BucketName, string>> => {
  const { year, month, day, hour } = wallTimeAt(instant, timeZone);
  return {
    last: String(index),
    // With the offset: the hour that is repeated in autumn is two hours.
    hourly: `${year}-${month}-${day} ${hour} ${offsetMinutesAt(instant, timeZone)}`,
    daily: `${year}-${month}-${day}`,
    weekly: String(isoWeek(year, month, day)),
    monthly: `${year}-${month}`,
    yearly: String(year),
  };
};

/**
 * @param newestFirst instants in ISO form
 * @returns the places that each instant takes, in the same order; none where no rule holds it
 */
export const keepPlaces = (
  newestFirst: readonly string[],
  keep: Keep,
  timeZone: string,
): readonly (readonly BucketPlace[])[] => {
  const taken = new Map<BucketName, { readonly key: string; readonly count: number }>();
  return newestFirst.map((instant, index) => {
    const keys = bucketKeys(new Date(instant), index, timeZone);
    return bucketNames.flatMap((bucket) => {
      const of = keep[bucket] ?? 0;
      const { key, count } = taken.get(bucket) ?? { key: "", count: 0 };
      const oldest = index === newestFirst.length - 1;
      if (count >= of || (keys[bucket] === key && !oldest)) return [];
      taken.set(bucket, { key: keys[bucket], count: count + 1 });
      return [{ bucket, place: count + 1, of }];
    });
  });
};
