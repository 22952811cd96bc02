import { expect, it, vi } from "vitest";
import { keepSchedule } from "../../scripts/demo/schedule-keeper.ts";

/** Keeps the schedule until it has been due so often. @returns the moments */
const dueMoments = async (schedule: string, lastAt: string | null, times = 1): Promise<readonly number[]> => {
  const stop = new AbortController();
  const moments: number[] = [];
  const whenDue = async (): Promise<void> => {
    moments.push(Date.now());
    if (moments.length === times) stop.abort();
  };
  await keepSchedule({ schedule, lastAt, whenDue, signal: stop.signal });
  return moments;
};

it.each([
  ["where there is no point", null],
  ["where one was missed", new Date(0).toISOString()],
])("is due at once %s", async (_, lastAt) => {
  expect(await dueMoments("every 1h", lastAt)).toHaveLength(1);
});

it("counts from the last point, and then from each time that it was due", async () => {
  const beganMs = Date.now();
  const [first = 0, second = 0] = await dueMoments("every 1s", new Date(beganMs - 400).toISOString(), 2);
  expect(first - beganMs).toBeGreaterThanOrEqual(600);
  expect(second - beganMs).toBeGreaterThanOrEqual(1_600);
});

it("ends with the signal in the middle of a wait, and calls nothing any more", async () => {
  const stop = new AbortController();
  const whenDue = vi.fn<() => Promise<void>>();
  const kept = keepSchedule({ schedule: "every 1h", lastAt: new Date().toISOString(), whenDue, signal: stop.signal });
  stop.abort();
  await kept;
  expect(whenDue).not.toHaveBeenCalled();
});

it("tells when the next one is due, and refuses a schedule that names no moment", async () => {
  const stop = new AbortController();
  const nextMs: number[] = [];
  const whenDue = async (next: Date): Promise<void> => {
    nextMs.push(next.getTime() - Date.now());
    stop.abort();
  };
  const kept = { lastAt: null, whenDue, signal: stop.signal };
  await keepSchedule({ ...kept, schedule: "every 30m" });
  expect(Math.round((nextMs[0] ?? 0) / 60_000)).toBe(30);
  await expect(keepSchedule({ ...kept, schedule: "now and then", signal: AbortSignal.timeout(5_000) })).rejects.toThrow(
    'the schedule "now and then" names no moment',
  );
  expect(nextMs).toHaveLength(1);
});
