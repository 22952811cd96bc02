/** From which point what a run has put away came, where that is older than the one that the run goes back to. */
import { expect, it } from "vitest";
import { shopPlan, shopRun } from "../../../test/fixtures/shop-run.ts";
import type { RunNumber } from "../../model/identifiers.ts";
import type { Plan } from "../../model/plan.ts";
import type { RunRecord } from "../../model/run.ts";
import { sideOrigin } from "./side-origin.ts";

const hour = (at: number): string => `2026-11-22T${String(at).padStart(2, "0")}:00:00.000Z`;

type Recovered = {
  readonly to: number;
  readonly at: number;
  readonly by?: number;
  readonly state?: RunRecord["state"];
  readonly unknown?: true;
};

/** @param to hour of its point @param at hour at which its side began to serve @param by hour that its log goes on to */
const recovered = (number: number, { to, at, by, state = "succeeded", unknown }: Recovered) => {
  const { point } = shopPlan.intent;
  const db = point?.components["db"];
  if (point === null || db === undefined) throw new Error("the plan of the shop has no point of its database");
  const facts = { ...db.facts, position: { takenAt: hour(to), mark: {} } };
  const replay = { line: "1", from: "0/1", to: "0/2", at: hour(by ?? to) };
  const plan: Plan = {
    ...shopPlan,
    intent: {
      ...shopPlan.intent,
      point: { ...point, consistentAt: hour(to), components: { db: { ...db, facts } } },
      ...(by === undefined ? {} : { replays: { db: replay } }),
    },
  };
  const newPosition = unknown === true ? null : { takenAt: hour(at), mark: { number } };
  const record = shopRun({ number: number as RunNumber, state, endedAt: hour(at) }, (id) =>
    id === "switch:db" ? { output: { incoming: "shop_r", outgoing: "shop_old", newPosition } } : {},
  );
  return { record, plan };
};

/** Of the last of them. */
const origin = async (...runs: readonly Recovered[]) => {
  const all = runs.map((run, index) => recovered(index + 1, run));
  const of = all.at(-1);
  if (of === undefined) throw new Error("no run is asked for");
  const found = await sideOrigin(
    {
      listRuns: async () => all.map(({ record }) => record).toReversed(),
      readRun: async (number) => all[number - 1] ?? expect.fail(`run ${number} is unknown`),
    },
    of,
    "db",
  );
  return found && [found.run, found.point.consistentAt, found.position?.takenAt ?? null];
};

it("is told where it was restored from an older point, after the newer one was taken", async () => {
  expect(await origin({ to: 1, at: 5 }, { to: 3, at: 8 })).toEqual([1, hour(1), hour(5)]);
  expect(await origin({ to: 1, at: 5, unknown: true }, { to: 3, at: 8 })).toEqual([1, hour(1), null]);
  expect(await origin({ to: 1, at: 5, state: "committed" }, { to: 3, at: 8 })).toEqual([1, hour(1), hour(5)]);
  // Of several the last one made it.
  expect(await origin({ to: 1, at: 5 }, { to: 2, at: 6 }, { to: 3, at: 8 })).toEqual([2, hour(2), hour(6)]);
  // What came of a newer point came of the older one before, if that was captured since.
  expect(await origin({ to: 1, at: 5 }, { to: 6, at: 7 }, { to: 3, at: 8 })).toEqual([1, hour(1), hour(5)]);
});

it("is nothing where it goes on from the point", async () => {
  expect(await origin({ to: 3, at: 8 })).toBeNull();
  expect(await origin({ to: 1, at: 2 }, { to: 3, at: 8 })).toBeNull();
  expect(await origin({ to: 4, at: 5 }, { to: 3, at: 8 })).toBeNull();
  expect(await origin({ to: 1, at: 5, state: "undone" }, { to: 3, at: 8 })).toBeNull();
});

it("counts to where the log goes on, of both", async () => {
  expect(await origin({ to: 1, at: 5, by: 4 }, { to: 3, at: 8 })).toBeNull();
  expect(await origin({ to: 1, at: 6, by: 3 }, { to: 2, at: 9, by: 4 })).toEqual([1, hour(1), hour(6)]);
});
