import { expect, it } from "vitest";
import { type SnapshotId, snapshotIdSchema } from "../../model/identifiers.ts";
import { runStates } from "../../model/run.ts";
import type { RunCopy } from "../ports/vault-points.ts";
import { expiringRunCopies } from "./run-copy-lifetimes.ts";

const now = "2026-11-26T12:00:00.000Z";
let drawn = 0;
const idOf = (n: number): SnapshotId => snapshotIdSchema.parse(String(n).padStart(64, "0"));
const copyOf = (uid: string, state: string, daysAgo: number, epoch = 1): RunCopy => ({
  id: idOf((drawn += 1)),
  uid,
  service: "shop",
  savedAt: new Date(Date.parse(now) - daysAgo * 86_400_000).toISOString(),
  hostname: "h",
  epoch,
  state,
});
const going = (...copies: readonly RunCopy[]) => expiringRunCopies(copies, now).map(({ copy, why }) => [copy.id, why]);

it("keeps the newest copy of a run that could still be taken up, undone or committed, however old", () => {
  for (const state of [...runStates, "a word of a later version"]) {
    const copy = copyOf("a", state, 400);
    const isOver = ["cancelled", "committed"].includes(state);
    expect([state, going(copy)]).toEqual([state, isOver ? [[copy.id, "ended"]] : []]);
  }
});

it("lets superseded ones go after 90 days, each for itself", () => {
  const [newest, young, old] = [
    copyOf("a", "running", 300, 3),
    copyOf("a", "waiting", 80),
    copyOf("a", "running", 100),
  ];
  expect(going(newest, young, old)).toEqual([[old.id, "superseded"]]);
});

it("never lets the end of a run go before what came earlier, whatever the machines' clocks said", () => {
  const [end, late] = [copyOf("a", "committed", 100, 2), copyOf("a", "running", 10, 1)];
  expect(going(end, late)).toEqual([]);
  const [ended, young] = [copyOf("b", "undone", 89), copyOf("b", "running", 89)];
  expect(going(ended, young)).toEqual([]);
});

it("believes no copy of the future to be old", () => {
  expect(going(copyOf("a", "committed", -400))).toEqual([]);
});
