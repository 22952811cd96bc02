import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../model/json.ts";
import { at, shopPlan, shopRun, stoppedAt } from "../../../test/fixtures/shop-run.ts";
import { summarizeRun } from "./run-summary.ts";

const now = at(60);

describe("summarizeRun", () => {
  it("measures from the first wrong answer to the first right one, split by phase", () => {
    const summary = summarizeRun(shopRun(), shopPlan, [], now);
    expect(summary.rto).toEqual({
      actualMs: 6_701_000,
      from: "2026-11-22T13:21:40.000Z",
      fromIncident: true,
      to: at(50),
      toProbe: true,
      objectiveMs: 900_000,
      met: false,
    });
    expect(summary.phases).toEqual([
      { phase: "notice", durationMs: 6_651_000 },
      { phase: "restore", durationMs: 31_000 },
      { phase: "validate", durationMs: 3_000 },
      { phase: "decide", durationMs: 11_000 },
      { phase: "cutover", durationMs: 4_500 },
      { phase: "prove", durationMs: 500 },
    ]);
    const total = summary.phases.reduce((sum, { durationMs }) => sum + durationMs, 0);
    expect(total).toBe(summary.rto?.actualMs);
    expect(summary.machineMs).toBe(39_200);
    expect(summary.stumbles).toMatchObject({ retries: 0, interruptions: 0 });
  });

  it("counts what was lost to the last write, by what was seen after the switch", () => {
    const [db] = summarizeRun(shopRun(), shopPlan, [], now).rpo;
    expect(db).toMatchObject({
      component: "db",
      actualMs: 1_294_000,
      objectiveMs: 3_600_000,
      met: true,
      units: [{ name: "orders", added: 312, file: "runs/42/lost/orders.csv" }],
      directory: "runs/42/lost",
    });
    const early = summarizeRun(
      shopRun({ state: "failed" }, stoppedAt("try:app", { state: "failed" })),
      shopPlan,
      [],
      now,
    );
    expect(early.rpo[0]?.units[0]?.added).toBe(310);
  });

  it("names what was exported of changed rows, alone as well", () => {
    const unit = { name: "orders", added: 0, changed: 3, removed: 0, file: null, changedFile: "changed/orders.csv" };
    const output = { lastWriteAt: null, units: [unit], gaps: [], directory: "runs/42/lost", settled: [] };
    const run = shopRun({}, (id) => (id.startsWith("save-lost") ? { output } : {}));
    expect(summarizeRun(run, shopPlan, [], now).rpo[0]).toMatchObject({
      directory: "runs/42/lost",
      units: [{ file: null, changedFile: "runs/42/lost/changed/orders.csv" }],
    });
  });

  it("takes no time from before the point for that of the last write: what updated a row may have left its times alone", () => {
    const output = {
      lastWriteAt: "2026-01-01T00:00:00.000Z",
      units: [{ name: "orders", added: 0, changed: 20_000, removed: 0, file: null }],
      gaps: [],
      directory: "d",
      settled: [],
    };
    const run = shopRun({}, (id) => (id.startsWith("save-lost") ? { output } : {}));
    const [db] = summarizeRun(run, shopPlan, [], now).rpo;
    expect(db).toMatchObject({ atMost: true });
    expect(db?.actualMs).toBeGreaterThan(1_294_000);
  });

  it("counts from the moment that the log has reached, and not from the point", () => {
    const unit = { name: "orders", added: 0, changed: 3, removed: 0, file: null };
    const output = { lastWriteAt: null, units: [unit], gaps: [], directory: "d", settled: [] };
    const run = shopRun({}, (id) => (id.startsWith("save-lost") ? { output } : {}));
    const switchedAt = Date.parse(run.steps.find(({ id }) => id === "switch:db")?.beganAt ?? "");
    const reached = new Date(switchedAt - 5_000).toISOString();
    const replays = { db: { line: "7000/1", from: "1/0", to: "1/10", at: reached } };
    const plan = { ...shopPlan, intent: { ...shopPlan.intent, replays } };
    const forecast = { ...plan.forecast, loses: plan.forecast.loses.map((one) => ({ ...one, lostMs: 1_000 })) };
    const [db] = summarizeRun(run, { ...plan, forecast }, [], now).rpo;
    expect(db).toMatchObject({ atMost: true, actualMs: 5_000 });
  });

  it("knows no time of what was changed, and says until when it may have been", () => {
    const changed = { name: "orders", added: 0, changed: 3, removed: 0, file: null };
    const lost = (parts: object, rpo: string) => {
      const output = { lastWriteAt: at(-60), units: [changed], gaps: [], directory: "d", settled: [], ...parts };
      const { declaration } = shopPlan.intent;
      const objectives = { ...declaration.objectives, rpo };
      const plan = { ...shopPlan, intent: { ...shopPlan.intent, declaration: { ...declaration, objectives } } };
      return summarizeRun(
        shopRun({}, (id) => (id.startsWith("save-lost") ? { output } : {})),
        plan,
        [],
        now,
      ).rpo[0];
    };
    const known = lost({ units: [{ ...changed, added: 3, changed: 0 }] }, "1h")?.actualMs ?? 0;
    const least = `${Math.ceil(known / 1000) + 1}s`;
    const switched = lost({}, "3h");
    expect(switched).toMatchObject({ atMost: true, met: true });
    expect(switched?.actualMs).toBeGreaterThan(known);
    // Between what is known and what may be, nobody can tell; before both, it was missed.
    expect(lost({}, least)).toMatchObject({ met: null });
    expect(lost({}, "1s")).toMatchObject({ met: false });
    // What could not be compared is not nothing.
    expect(lost({ units: [], lastWriteAt: null, gaps: ["its log"] }, "1h")).toMatchObject({
      actualMs: switched?.actualMs,
      atMost: true,
    });
  });

  it("says that nothing was lost when the ledger found nothing", () => {
    const nothing = { lastWriteAt: null, units: [], gaps: [], directory: "d", settled: [] };
    const summary = summarizeRun(
      shopRun({}, (id) => (id.startsWith("save-lost") ? { output: nothing } : {})),
      shopPlan,
      [],
      now,
    );
    expect(summary.rpo[0]).toMatchObject({ actualMs: 0, lastWriteAt: null, units: [], directory: null, met: true });
  });

  it("validated what was compared and asked, and keeps the old side", () => {
    const summary = summarizeRun(shopRun(), shopPlan, [], now);
    expect(summary).toMatchObject({
      restored: { sizeBytes: 1_100_000_000, counts: { tables: 23 } },
      checks: { passed: 2, failed: 0 },
      invariants: { passed: 1, failed: 0 },
      probe: { status: "passed", found: "HTTP 200" },
      kept: [{ component: "db", name: "shop_old42" }],
      beside: [],
      failures: [],
      cutoverBegan: true,
    });
  });

  it("has no RTO before the service is back, and says what stands beside", () => {
    const error = { code: "step.check-failed", message: "orders: 199,990 rows, captured 200,000", hint: "look" };
    const run = shopRun({ state: "failed" }, stoppedAt("check:db", { state: "failed", attempt: 3, error }));
    const summary = summarizeRun(run, shopPlan, [], now);
    expect(summary).toMatchObject({
      rto: null,
      kept: [],
      beside: [{ component: "db", name: "shop_r42", unsure: false, restored: expect.any(String) }],
      failures: [{ step: "check:db", title: "check db", code: "step.check-failed", hint: "look" }],
      cutoverBegan: false,
    });
    expect(summarizeRun({ ...run, state: "cancelled" }, shopPlan, [], now).beside).toEqual([]);
  });

  it("does not call a side unused whose switch has begun and neither ended nor was taken back", () => {
    const error = { code: "source.denied", message: "WRONGPASS" };
    const besideOf = (state: "failed" | "needs-operator" | "compensated" | "interrupted") =>
      summarizeRun(
        shopRun({ state: "needs-operator" }, stoppedAt("switch:db", { state, attempt: 1, error })),
        shopPlan,
        [],
        now,
      ).beside;
    for (const state of ["failed", "needs-operator", "interrupted"] as const)
      expect(besideOf(state)).toMatchObject([{ component: "db", name: "shop_r42", unsure: true }]);
    expect(besideOf("compensated")).toMatchObject([{ component: "db", name: "shop_r42", unsure: false }]);
  });

  it("is not back while the probe is answered wrong, though an undo ends with it", () => {
    const wrong = { subject: "probe", kind: "http", status: "failed", found: "HTTP 503", durationMs: 4 };
    const probe = (outcomes: readonly JsonObject[]) => (id: string) =>
      id === "probe" ? { output: { outcomes: [...outcomes], attempts: 90, normalAt: null } } : {};
    const summary = summarizeRun(shopRun({ purpose: "undo" }, probe([wrong])), shopPlan, [], now);
    expect(summary).toMatchObject({ probe: { status: "failed", found: "HTTP 503" }, rto: null });
    expect(summarizeRun(shopRun({}, probe([])), shopPlan, [], now)).toMatchObject({
      probe: null,
      rto: { to: at(49.5) },
    });
  });

  it("begins the clock with the run when nobody told when it broke, and then calls no objective met", () => {
    const { rto, phases } = summarizeRun(shopRun({ incidentAt: null }), shopPlan, [], now);
    expect(rto).toMatchObject({
      actualMs: 50_000,
      from: at(0),
      fromIncident: false,
      objectiveMs: 900_000,
      met: null,
    });
    expect(phases[0]?.phase).toBe("restore");
    const long = shopRun({ incidentAt: null, beganAt: at(-900) });
    expect(summarizeRun(long, shopPlan, [], now).rto).toMatchObject({ actualMs: 950_000, met: false });
  });

  it("takes outputs of other versions as unknown, never as a crash", () => {
    const summary = summarizeRun(
      shopRun({}, () => ({ output: { outcomes: "?", units: 3 } })),
      shopPlan,
      [],
      now,
    );
    expect(summary.rto).toMatchObject({ to: at(49.5), toProbe: false });
    expect(summary.rpo[0]).toMatchObject({ actualMs: 1_294_000, units: [] });
  });
});
