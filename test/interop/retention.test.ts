/** Our buckets against `restic forget --keep-*`: the same instants stay, for histories and rules that nobody has thought of. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keepPlaces } from "../../src/core/retention/keep-buckets.ts";
import type { Keep } from "../../src/model/declaration.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { password, requireRestic, restic } from "./support/restic.ts";

requireRestic();

const instantMs = fc
  .record({
    day: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 1500 })),
    minute: fc.integer({ min: 0, max: 1439 }),
  })
  .map(({ day, minute }) => Date.parse("2024-12-20T00:00:00Z") + day * 86_400_000 + minute * 60_000);

const count = fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined, freq: 2 });
const rule = fc
  .record({ last: count, hourly: count, daily: count, weekly: count, monthly: count, yearly: count })
  .map((keep) => Object.fromEntries(Object.entries(keep).filter(([, value]) => value !== undefined)) as Keep)
  .filter((keep) => Object.keys(keep).length > 0);

const histories = fc.sample(fc.uniqueArray(instantMs, { minLength: 25, maxLength: 40 }), { seed: 20, numRuns: 3 });
const rules = fc.sample(rule, { seed: 21, numRuns: 8 });

describe.each(histories.map((history, index) => [index, history] as const))("history %d", (index, history) => {
  const newestFirst = history.toSorted((a, b) => b - a).map((ms) => new Date(ms).toISOString());
  let folder: TestFolder;
  let vault: string;

  beforeAll(async () => {
    folder = await createTestFolder(`refloat-retention-${index}`);
    vault = `${folder.path}/vault`;
    const repository = await createRepository(vault, password, { clock: systemClock });
    for (const instant of newestFirst) {
      const writer = await repository.beginSnapshot({
        hostname: "h",
        time: new Date(instant),
        tags: [],
        paths: ["/a"],
      });
      await writer.bytes("/a", Buffer.from("a"));
      await writer.commit();
    }
    await repository.close();
  });

  afterAll(async () => {
    await folder.remove();
  });

  it.each(rules)("%j", async (keep) => {
    const flags = Object.entries(keep).map(([bucket, many]) => `--keep-${bucket}=${String(many)}`);
    const [group] = JSON.parse(await restic(vault, "forget", "--dry-run", "--json", "--group-by=", ...flags)) as {
      keep: { time: string }[];
    }[];
    const theirs = (group?.keep ?? []).map(({ time }) => new Date(time).toISOString()).sort();
    const places = keepPlaces(newestFirst, keep, "UTC");
    const ours = newestFirst.filter((_instant, at) => (places[at]?.length ?? 0) > 0).sort();
    // Before 0.16 restic did not keep the oldest where a count is left over; to keep more is the safe side.
    const oldest = newestFirst.at(-1);
    expect(ours.filter((instant) => instant !== oldest || theirs.includes(instant))).toEqual(theirs);
  });
});
