import { expect, it } from "vitest";
import { at, began, done, eventsOf, failed, number42, shopPlan, shopRun } from "../../../test/fixtures/shop-run.ts";
import type { RunEvent } from "../../model/run.ts";
import { ganttOf } from "./gantt.ts";
import { plannedSchedule } from "./planned-schedule.ts";
import { stepAttempts } from "./step-attempts.ts";

it("plans each step after what it needs, and nothing of the cutover before all that stands before it", () => {
  const planned = plannedSchedule(shopPlan);
  for (const { id, needs } of shopPlan.intent.steps)
    for (const need of needs) expect(planned(id)?.fromMs).toBeGreaterThanOrEqual(planned(need)?.toMs ?? NaN);
  const { before = [], cutover = [] } = Object.groupBy(shopPlan.intent.steps, ({ phase }) =>
    phase === "cutover" ? "cutover" : phase === "prove" ? "after" : "before",
  );
  expect(Math.min(...cutover.map(({ id }) => planned(id)?.fromMs ?? NaN))).toBeGreaterThanOrEqual(
    Math.max(...before.map(({ id }) => planned(id)?.toMs ?? NaN)),
  );
});

it("tells attempts apart, and ends one that was killed with its process's last word", () => {
  const step = (sequence: number, second: number, state: string, attempt: number): RunEvent =>
    ({ ...began(sequence, second, "restore:db"), state, attempt }) as RunEvent;
  const events: readonly RunEvent[] = [
    began(1, 0, "restore:db"),
    step(2, 3, "retry-wait", 1),
    step(3, 5, "running", 2),
    began(4, 6, "save-lost:db"),
    done(5, 8, "save-lost:db"),
    // Killed here, and taken up an hour later.
    { type: "run", sequence: 6, at: at(3600), run: number42, state: "running", message: "taken up, epoch 2" },
    step(7, 3600, "interrupted", 2),
    step(8, 3601, "running", 3),
    failed(9, 3604, "restore:db", "no"),
    step(10, 3605, "compensating", 3),
  ];
  expect(stepAttempts(events).map((one) => [one.step, one.attempt, one.beganAt, one.endedAt, one.state])).toEqual([
    ["restore:db", 1, at(0), at(3), "retry-wait"],
    ["restore:db", 2, at(5), at(8), "interrupted"],
    ["save-lost:db", 1, at(6), at(8), "done"],
    ["restore:db", 3, at(3601), at(3604), "failed"],
    ["restore:db", 3, at(3605), null, "compensating"],
  ]);
  const gantt = ganttOf(shopRun({ endedAt: at(3607) }), shopPlan, events, at(3607));
  // Two seconds between tries and the hour between processes are left out of the scale, and told.
  expect(gantt.breaks).toEqual([
    { atMs: 3_000, lengthMs: 2_000 },
    { atMs: 6_000, lengthMs: 3_593_000 },
    { atMs: 9_000, lengthMs: 1_000 },
  ]);
  expect(gantt.rows.find(({ step }) => step === "restore:db")?.actual).toMatchObject([
    { fromMs: 0, toMs: 3_000 },
    { fromMs: 3_000, toMs: 6_000 },
    { fromMs: 6_000, toMs: 9_000, state: "failed" },
    { fromMs: 9_000, toMs: 11_000, compensates: true },
  ]);
});

it("takes an approval that took its time out of the scale", () => {
  const record = shopRun();
  const { breaks, rows, totalMs } = ganttOf(record, shopPlan, eventsOf(record), at(51));
  expect(breaks).toEqual([{ atMs: 34_050, lengthMs: 10_930 }]);
  expect(rows.find(({ step }) => step === "probe")?.actual[0]?.toMs).toBe(39_270);
  expect(totalMs).toBeGreaterThanOrEqual(39_270);
});
