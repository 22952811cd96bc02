import { expect, it } from "vitest";
import { shopPoint } from "../../../test/fixtures/shop.ts";
import { judgeQuiesceTime } from "./quiesce-time.ts";

const quiesce = { freeze: "pause", thaw: "resume", atMost: "20s" };
const beganAt = "2026-11-22T14:00:00.000Z";
const plus = (seconds: number): string => new Date(Date.parse(beganAt) + seconds * 1_000).toISOString();
const { manifest } = shopPoint({ id: "a1", at: beganAt });

/** The database is read for ten minutes, whose view is fixed at once; the files for `seconds`. */
const taken = (seconds: number, heldMs?: number) => {
  const { db, uploads } = manifest.components;
  if (db === undefined || uploads === undefined) return expect.fail("the shop lacks a part");
  const components = {
    db: { ...db, window: { beginAt: beganAt, endAt: beganAt }, finishedAt: plus(600) },
    uploads: {
      ...uploads,
      window: { beginAt: plus(600), endAt: plus(600 + seconds) },
      finishedAt: plus(600 + seconds),
    },
  };
  const frozen = heldMs === undefined ? {} : { frozen: { fromAt: beganAt, toAt: beganAt, heldMs } };
  const consistency = { ...manifest.consistency, ...frozen };
  return { manifest: { ...manifest, beganAt, captureOrder: ["db", "uploads"], components, consistency } };
};

it("counts only what has to stand still while it is read", () => {
  const found = "20s; of the last 2 captures the longest needed 8s";
  expect(judgeQuiesceTime(quiesce, [taken(8), taken(3)])).toEqual({ ok: true, subject: "atMost", found });
  expect(judgeQuiesceTime(quiesce, [taken(3), taken(21)])).toMatchObject({ ok: false, only: "capture" });
});

it("believes what a quiesced capture was held before all estimates, and looks at the last five", () => {
  expect(judgeQuiesceTime(quiesce, [taken(21, 900)])).toMatchObject({
    ok: true,
    found: expect.stringContaining("0.9s") as string,
  });
  expect(
    judgeQuiesceTime(
      quiesce,
      [1, 2, 3, 4, 5, 60].map((seconds) => taken(seconds)),
    ),
  ).toMatchObject({ ok: true });
  expect(judgeQuiesceTime(quiesce, [])).toMatchObject({
    ok: true,
    found: "20s; no capture has shown yet whether that is enough",
  });
});
