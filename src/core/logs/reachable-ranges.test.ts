import { expect, it } from "vitest";
import { shopPoint } from "../../../test/fixtures/shop.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import { reachableRanges } from "./reachable-ranges.ts";
import { createMinutesOfLog as span, minuteOfLog as at, placeOfMinute as place } from "../../testing/log-span.ts";

/** Points of the first timeline up to minute 30, of the second one from there on. */
const registry = {
  components: new Map([
    [
      "postgres",
      {
        logs: {
          startOf: ({ facts }: RecoveryPoint["manifest"]["components"][string]) => facts.position?.mark,
        },
      },
    ],
  ]),
} as unknown as DriverRegistry;

const point = (id: string, minute: number, line: string): RecoveryPoint => {
  const made = shopPoint({ id, at: at(minute) });
  const db = made.manifest.components["db"];
  if (db === undefined) throw new Error("the shop has no db");
  const mark = { line, from: place(minute) };
  const facts = { ...db.facts, position: { takenAt: at(minute), mark } };
  return { ...made, manifest: { ...made.manifest, components: { ...made.manifest.components, db: { ...db, facts } } } };
};

const ranges = (points: readonly RecoveryPoint[], spans: readonly ReturnType<typeof span>[]) =>
  reachableRanges({ registry }, points, spans).map(({ fromAt, toAt }) => [fromAt, toAt]);

it("goes from the first point on, whatever the log has from before it, and on through points that it leads through", () => {
  expect(ranges([point("b2", 20, "7/1"), point("a1", 10, "7/1")], [span(0, 40, "7/1")])).toEqual([[at(10), at(40)]]);
});

it("ends where the line does, and begins again at the first point of the next one", () => {
  const spans = [span(0, 30, "7/1"), span(30, 60, "7/2")];
  expect(ranges([point("a1", 10, "7/1")], spans)).toEqual([[at(10), at(30)]]);
  expect(ranges([point("a1", 10, "7/1"), point("b2", 45, "7/2")], spans)).toEqual([
    [at(10), at(30)],
    [at(45), at(60)],
  ]);
});

it("has nothing of a log that leads on from no point, and of a component that the point has lost", () => {
  expect(ranges([point("a1", 10, "7/1")], [span(30, 60, "7/2")])).toEqual([]);
  expect(ranges([{ ...point("a1", 10, "7/1"), missing: ["db"] }], [span(0, 30, "7/1")])).toEqual([]);
});
