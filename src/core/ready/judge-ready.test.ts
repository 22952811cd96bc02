import { expect, it } from "vitest";
import { liveShop, live, shop, shopIncident, shopPoint } from "../../../test/fixtures/shop.ts";
import { runNumberSchema } from "../../model/identifiers.ts";
import type { RunRecord } from "../../model/run.ts";
import { type PointFacts, judgePoint } from "./judge-point.ts";
import { judgeRuns } from "./judge-runs.ts";
import { judgeFingerprint, judgePorts, judgePreflight, judgeSpace } from "./judge-target.ts";

const now = "2026-11-22T15:12:08.000Z";
const point = shopPoint({ id: "3c71e0aa", at: "2026-11-22T14:30:00.000Z" });
const facts: PointFacts = {
  service: shop,
  point,
  newestAt: point.manifest.consistentAt,
  recoverableTo: null,
  verifiedAt: "2026-11-22T02:00:00.000Z",
  verification: null,
  incident: null,
  now,
  timeZone: "UTC",
};

const levels = (checks: ReturnType<typeof judgePoint>) => checks.map(({ subject, level }) => [subject, level]);

it("holds the point against the rpo, by the log where that leads further", () => {
  expect(levels(judgePoint(facts))).toEqual([
    ["freshness", "ok"],
    ["checks", "ok"],
    ["verified", "ok"],
  ]);
  const old = shopPoint({ id: "5d0c88e1", at: "2026-11-22T13:00:04.000Z" });
  expect(judgePoint({ ...facts, point: old })[0]).toMatchObject({
    level: "not-ready",
    found: "point 5d0c88e1, a recovery would lose the last 2h12m, more than 1h (rpo)",
    nextCommand: "refloat capture shop",
  });
  expect(judgePoint({ ...facts, point: old, recoverableTo: "2026-11-22T15:12:04.000Z" })[0]).toMatchObject({
    level: "ok",
    found: "point 5d0c88e1, a recovery would lose the last 4s of 1h (rpo)",
  });
  const free = { ...shop, objectives: {} };
  expect(judgePoint({ ...facts, point: old, service: free })[0]).toMatchObject({ level: "ok" });
});

it("is not ready with a point whose checks failed, as the restored side would fail them", () => {
  const bad = shopPoint({ id: "3c71e0aa", at: "2026-11-22T14:30:00.000Z", passed: false });
  expect(judgePoint({ ...facts, point: bad })).toContainEqual(
    expect.objectContaining({ subject: "checks", level: "not-ready", found: "failed at its capture: products" }),
  );
});

it("tells what is overdue, in doubt, and not read for long", () => {
  const service = { ...shop, schedule: "every 30m" };
  expect(levels(judgePoint({ ...facts, service, incident: shopIncident("2026-11-22T14:50:00.000Z") }))).toEqual([
    ["freshness", "ok"],
    ["schedule", "warning"],
    ["checks", "ok"],
    ["verified", "ok"],
    ["incident", "warning"],
  ]);
  const verifiedOf = (parts: Partial<PointFacts>) =>
    judgePoint({ ...facts, ...parts }).find(({ subject }) => subject === "verified")?.level;
  const verification = { at: now, depth: "read-data", errors: 0, provenSince: null };
  expect(verifiedOf({ verifiedAt: "2026-10-01T00:00:00.000Z" })).toBe("warning");
  expect(verifiedOf({ verifiedAt: null })).toBe("warning");
  expect(verifiedOf({ verifiedAt: null, verification })).toBe("warning");
  expect(verifiedOf({ verifiedAt: null, verification: { ...verification, errors: 2 } })).toBe("not-ready");
});

const run = (number: number, state: RunRecord["state"], endedAt: string | null): RunRecord => ({
  number: runNumberSchema.parse(number),
  uid: "0b8f2f3e-1111-4222-8333-444455556666",
  service: "shop",
  purpose: "recover",
  digest: "aa".repeat(32) as RunRecord["digest"],
  state,
  direction: "forward",
  message: null,
  epoch: 1,
  beganAt: "2026-11-20T10:00:00.000Z",
  endedAt,
  incidentAt: null,
  steps: [],
});

it("cannot begin while a run stands in the way, and trusts only what was tried not long ago", () => {
  const judged = (...runs: readonly RunRecord[]) =>
    judgeRuns({ service: "shop", runs, now }).map(({ area, level, nextCommand }) => [area, level, nextCommand]);
  const rehearse = "refloat recover shop --no-cutover";
  expect(judged()).toEqual([["rehearsal", "warning", rehearse]]);
  expect(judged(run(1, "succeeded", "2026-11-20T10:01:00.000Z"))).toEqual([["rehearsal", "ok", undefined]]);
  expect(judged(run(1, "committed", "2026-07-01T10:01:00.000Z"))).toEqual([["rehearsal", "warning", rehearse]]);
  expect(judged(run(2, "failed", now), run(1, "succeeded", "2026-11-20T10:01:00.000Z"))).toEqual([
    ["rehearsal", "warning", "refloat runs 2"],
  ]);
  const steps = (state: string) => [{ id: "check:db", state, output: {}, error: null }] as never;
  const ended = "2026-11-20T10:01:00.000Z";
  expect(judged({ ...run(1, "cancelled", ended), steps: steps("done") })).toEqual([["rehearsal", "ok", undefined]]);
  expect(judged({ ...run(1, "undone", ended), steps: steps("done") })).toEqual([["rehearsal", "ok", undefined]]);
  expect(judged({ ...run(1, "undone", ended), steps: steps("failed") })).toEqual([["rehearsal", "warning", rehearse]]);
  expect(judged(run(1, "cancelled", ended))).toEqual([["rehearsal", "warning", rehearse]]);
  expect(judged(run(2, "interrupted", null), run(1, "succeeded", "2026-11-20T10:01:00.000Z"))).toEqual([
    ["runs", "not-ready", "refloat resume 2"],
    ["rehearsal", "ok", undefined],
  ]);
});

it("tells faults of a capture from those of a recovery, and what is gone from what is broken", () => {
  const report = {
    findings: [
      { ok: true, subject: "a", found: "yes" },
      { ok: false, subject: "b", found: "no", hint: "mend it" },
      { ok: false, subject: "c", found: "unread", only: "capture" as const },
    ],
    commands: [],
    recoveryCommands: [],
    grants: [],
  };
  expect(judgePreflight("db", report, true).map(({ level }) => level)).toEqual(["ok", "not-ready", "warning"]);
  expect(judgePreflight("db", report, false).map(({ level }) => level)).toEqual(["ok", "warning", "warning"]);
});

it("asks of the target room, a port and what it was captured on", () => {
  const space = (neededBytes: number, freeBytes: number) =>
    judgeSpace([{ fileSystem: "/", neededBytes, freeBytes, components: ["db"] }])[0]?.level;
  expect([space(1, 100), space(90, 100), space(101, 100)]).toEqual(["ok", "warning", "not-ready"]);
  expect(judgePorts("app", liveShop["app"])).toMatchObject([{ level: "ok" }]);
  const app = live({ name: "app", capabilities: { ...live({ name: "app" }).capabilities, hasRuntime: true } });
  expect(judgePorts("app", app)).toMatchObject([{ level: "warning" }]);
  expect(judgePorts("db", liveShop["db"])).toEqual([]);
  expect(judgeFingerprint("app", null)).toEqual([]);
  expect(
    judgeFingerprint("app", [
      { subject: "package libpq5", captured: "15.18", target: null, severity: "missing", stops: true },
      { subject: "kernel", captured: "6.1", target: "5.10", severity: "differs" },
    ]),
  ).toEqual([
    {
      area: "app",
      subject: "fingerprint",
      level: "not-ready",
      found: "captured with package libpq5 15.18, not found here",
    },
    { area: "app", subject: "fingerprint", level: "warning", found: "captured with kernel 6.1, here 5.10" },
  ]);
});

it("says of a missing package whether the point has it, and is not against a recovery that installs it", () => {
  const missing = { captured: "1.0", target: null, severity: "missing", stops: true, inPoint: true } as const;
  expect(
    judgeFingerprint("app", [
      { ...missing, subject: "package liba" },
      { ...missing, subject: "package libb", settledBy: "libraries" },
    ]),
  ).toEqual([
    {
      area: "app",
      subject: "fingerprint",
      level: "not-ready",
      found: "captured with package liba 1.0, not found here (the point has it)",
      hint: "declare what installs them: provision: { packages: { type: packages, of: [app] } }",
    },
    {
      area: "app",
      subject: "fingerprint",
      level: "warning",
      found: "captured with package libb 1.0, not found here (libraries installs it from the point)",
    },
  ]);
});
