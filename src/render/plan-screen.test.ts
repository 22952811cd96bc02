import { describe, expect, it } from "vitest";
import { liveShop, recoveryInput, shop, shopPoint, shopPoints } from "../../test/fixtures/shop.ts";
import { buildGraph } from "../core/graph/build-graph.ts";
import { composePoints } from "../core/points/compose-points.ts";
import { planRecovery } from "../core/planner/plan-recovery.ts";
import { planUndo } from "../core/planner/plan-undo.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { CloserReason, PointChoice } from "../model/plan.ts";
import { textWidth } from "./fit-text.ts";
import { renderPlan, renderPlanBriefly } from "./plan-screen.ts";
import { type Screen, plainPaint } from "./screen.ts";

const screen: Screen = { paint: plainPaint, width: 100, timeZone: "Europe/Berlin" };
const sample = (run: number, step: string, durationMs: number, sizeBytes?: number) => ({
  run,
  step,
  durationMs,
  ...(sizeBytes === undefined ? {} : { sizeBytes }),
});
const history = [39, 40, 41].flatMap((run, index) => [
  sample(run, "restore:db", 29_000 + index * 2_000, 1_100_000_000),
  sample(run, "save-lost:db", 5_000),
  sample(run, "save-lost:db:final", 1_500),
  sample(run, "check:db", 3_000),
  sample(run, "try:app", 2_000),
  sample(run, "start:app", 1_500),
  sample(run, "probe", 1_000),
]);

describe("the plan", () => {
  it("is drawn as the documents draw it", () => {
    expect(renderPlan(planRecovery(recoveryInput({ history })), screen, { run: 42 })).toMatchInlineSnapshot(`
      "Plan 6055e19e  shop, only db.  Point 5d0c88e1, 14:00:04 CET, the last before 14:12:08
      LOSES   db 21m34s: about 312 orders (last write 14:21:38); saved to CSV first
      KEEPS   app 2.5.0, uploads (312 invoices become orphans), proxy
      CLOSER  7f3a91c2, 14:20:31, its checks passed, loses 1m07s: --at 7f3a91c2
      SPACE   /var/lib/postgresql needs 1.6 GB of 21 GB free
      WAVE  STEP                  WHAT                                             TIME
      1   * restore db            1.1 GB, 23 tables, into new database shop_r42     31s
      2   * save lost rows        of db, written after the point                     5s
      2     check db              facts of 23 tables, 1 check                        3s
      2     check invoices-exist  what db names is in uploads                        2s
      3   * try app 2.5.0         on shop_r42, port 8082, 1 check                    2s
      4   * cut over db           shop > shop_old42, shop_r42 > shop, restart app    5s
      5   * probe                 http://127.0.0.1:8080/health                       1s
      Predicted 44s (41-50s, 3 runs); traffic held 5s. * critical path
      WARNING app 2.5.0 runs on a newer schema of db than the point has; wave 3 tries it first
      next: refloat recover --plan 6055e19e"
    `);
  });

  it("says to which moment each component goes where one goes on by its log, and how far apart they are", () => {
    const at = "2026-11-22T13:12:08.000Z";
    const input = recoveryInput({
      chosen: { kind: "instant", at },
      replays: { db: { line: "7000/1", from: "1/3A000000", to: "1/3A7C2F48", at: "2026-11-22T13:12:07.900Z" } },
      request: { at: { text: "14:12:08", instant: at }, only: ["db", "uploads"], cutover: true, acceptLoss: true },
    });
    const plan = planRecovery(input);
    const text = renderPlan(plan, { ...screen, width: 200 });
    expect(text.split("\n").filter((line) => /^(?:MOMENT|LOSES|WARNING db)|restore db/.test(line))).toEqual([
      "MOMENT  db to 14:12:07.9, 0.1s before what was asked (1/3A7C2F48); uploads to the point, 12m04s older",
      "LOSES   db 9m30s: what changed since (last write 14:21:38); saved to CSV first",
      expect.stringContaining("then its log to 1/3A7C2F48") as string,
      expect.stringContaining("12m04s apart, and what the one names the other may not have") as string,
    ]);
    const other = planRecovery({
      ...input,
      replays: { db: { line: "7000/1", from: "1/3A000000", to: "1/3A7C2F50", at: "2026-11-22T13:12:07.900Z" } },
    });
    expect(other.digest).not.toBe(plan.digest);
    const chosen = { kind: "log-target", what: "xid 1234", isBefore: true, component: "db", line: "7000/1" } as const;
    const place = planRecovery({ ...input, chosen: { ...chosen, position: "1/3A7C2F48", at } });
    const told = renderPlan(place, { ...screen, width: 200 }).split("\n");
    expect(told[0]).toContain("the last before xid 1234 of db (14:12:08)");
    expect(told.find((line) => line.startsWith("MOMENT"))).toBe(
      "MOMENT  db to just before xid 1234, 14:12:07.9 (1/3A7C2F48); uploads to the point, 12m04s older",
    );
  });

  it("takes what stays at a part of a composed point as of that part's own moment", () => {
    const [, , , older] = shopPoints;
    if (older === undefined) throw new Error("the shop has points");
    // The uploads of 13:00 UTC, the database alone three hours later, and five minutes of its log.
    const alone = shopPoint({ id: "d4", at: "2026-11-22T16:00:00.000Z" });
    const { db } = alone.manifest.components;
    if (db === undefined) throw new Error("the shop has a database");
    const [point] = composePoints([
      { ...alone, manifest: { ...alone.manifest, only: ["db"], components: { db } } },
      older,
    ]);
    if (point === undefined) throw new Error("a point was given");
    const plan = planRecovery(
      recoveryInput({
        point,
        chosen: { kind: "last" },
        replays: { db: { line: "7000/1", from: "1/3A000000", to: "1/3A7C2F48", at: "2026-11-22T16:05:00.000Z" } },
        request: { at: null, only: ["db", "uploads"], cutover: true, acceptLoss: true },
        now: "2026-11-22T16:06:00.000Z",
      }),
    );
    expect(plan.forecast.consistency).toMatchObject({ mode: "approximate", windowMs: 11_096_000 });
    expect(plan.forecast.warnings.find(({ code }) => code === "log.skew")?.message).toMatch(
      /uploads goes to 2026-11-22T13:00:04\.000Z: 3h04m56s apart/,
    );
    expect(renderPlan(plan, { ...screen, width: 200 })).toMatch(
      /MOMENT  db to 17:05:00\.0 \(1\/3A7C2F48\); uploads to 5d0c88e1, 3h04m56s older\n/,
    );
  });

  it("says why it is this point, and what the closer one comes before", () => {
    const [, , closer] = shopPoints;
    if (closer === undefined) throw new Error("the shop has points");
    const at = "2026-11-22T13:10:00.000Z";
    const head = (chosen: PointChoice, why: CloserReason = { checked: true }): readonly string[] =>
      renderPlan(planRecovery(recoveryInput({ chosen, closer: { point: closer, why } })), { ...screen, width: 120 })
        .split("\n")
        .filter((line) => /^(?:Plan|CLOSER|WARNING \d)/.test(line))
        .map((line) => line.replace(/^Plan .* CET/, "Plan"));
    const mark = { name: "upgrade 2.5.0", at: "2026-11-22T13:21:02.000Z" };
    const others = [{ id: "ab".repeat(32), at: "2026-11-21T13:00:00.000Z" }];
    expect(head({ kind: "mark", id: "00", name: "migration 42", at, others: [] }, { checked: true, mark })).toEqual([
      'Plan, the last before mark "migration 42" (14:10:00)',
      'CLOSER  7f3a91c2, 14:20:31, before "upgrade 2.5.0", loses 1m07s: --at 7f3a91c2',
    ]);
    expect(head({ kind: "mark", id: "00", name: "import", at, others })[2]).toContain('2 marks are named "import"');
    expect(head({ kind: "run", run: 41, uid: "u", at, changed: true })[0]).toBe(
      "Plan, the last before run 41 changed what is live (14:10:00)",
    );
    expect(head({ kind: "run", run: 41, uid: "u", at, changed: false })[0]).toBe(
      "Plan, the last before run 41 began (14:10:00)",
    );
    expect(head({ kind: "verified", at }, { checked: false, afterMs: 503_000 })).toEqual([
      "Plan, the last verified (14:10:00)",
      "CLOSER  7f3a91c2, 14:20:31, 8m23s after what was asked, loses 1m07s: --at 7f3a91c2",
    ]);
  });

  it("says below its head what hangs on the service and who is asked", () => {
    const service = { ...shop, criticality: "critical" as const, owners: ["dba", "web"] };
    const text = renderPlan(planRecovery(recoveryInput({ service })), screen);
    expect(text.split("\n")[1]).toBe("STAKE   critical; owners: dba and web");
  });

  it("of a whole service fits a narrow terminal", () => {
    const plan = planRecovery(recoveryInput({ request: { at: null, cutover: true } }));
    const text = renderPlan(plan, { ...screen, width: 80 }, { run: 42, next: null });
    expect(text).toMatchInlineSnapshot(`
      "Plan eab5d0ed  shop.  Point 5d0c88e1, 14:00:04 CET
      LOSES   db 21m34s: about 312 orders (last write 14:21:38); saved to CSV first
              uploads 2h12m04s: what changed since; listed first
              proxy 2h12m04s: what changed since; not exported, the old side is kept
      CLOSER  7f3a91c2, 14:20:31, its checks passed, loses 1h51m37s: --at 7f3a91c2
      SPACE   /var/lib/postgresql needs 1.6 GB of 21 GB free
      WAVE  STEP                  WHAT                                            TIME
      1   * restore db            1.1 GB, 23 tables, into new database shop_r42    56s
      1     restore uploads       180 MB, 5,012 files,                              3s
                                  into /srv/shop/uploads.r42
      1     restore app           9 MB, 212 files, into /srv/shop/current.r42       1s
      1     restore proxy         4 kB, 3 files, into /etc/haproxy.r42              1s
      2   * save lost rows        of db, written after the point                    9s
      2     check db              facts of 23 tables, 1 check                       6s
      2     list lost files       of uploads, written after the point               2s
      2     check uploads         facts of 5,012 files                              1s
      2     check invoices-exist  what db names is in uploads                       2s
      2     check app             facts of 212 files                                1s
      2     check proxy           facts of 3 files                                  1s
      3   * try app               on shop_r42 and uploads.r42, port 8082,           3s
                                  1 check
      4   * cut over 4 names      shop > shop_old42, shop_r42 > shop,              13s
                                  uploads > uploads.old42,
                                  uploads.r42 > uploads,
                                  current > current.old42,
                                  current.r42 > current,
                                  haproxy > haproxy.old42,
                                  haproxy.r42 > haproxy, restart app,
                                  reload proxy
      5   * probe                 http://127.0.0.1:8080/health                      1s
      Predicted 1m21s (28s-2m51s, no runs to go by yet);
      traffic held 13s. * critical path"
    `);
    expect(Math.max(...text.split("\n").map(textWidth))).toBeLessThanOrEqual(80);
  });

  it("without a cutover says that live is not touched", () => {
    const request = { at: { text: "5d0c", instant: null }, only: ["uploads"], cutover: false };
    expect(renderPlan(planRecovery(recoveryInput({ request })), screen)).toMatchInlineSnapshot(`
      "Plan c4179456  shop, only uploads.  Point 5d0c88e1, 14:00:04 CET. Restored beside and checked,
      not cut over
      LOSES   uploads 2h12m04s: what changed since; listed first
      KEEPS   app 2.5.0, db, proxy
      CLOSER  7f3a91c2, 14:20:31, its checks passed, loses 1h51m37s: --at 7f3a91c2
      SPACE   /var/lib/postgresql needs 1.6 GB of 21 GB free
      WAVE  STEP                  WHAT                                             TIME
      1   * restore uploads       180 MB, 5,012 files, into /srv/shop/uploads.r42    3s
      2   * list lost files       of uploads, written after the point                2s
      2     check uploads         facts of 5,012 files                               1s
      2     check invoices-exist  what db names is in uploads                        2s
      3   * try app 2.5.0         on uploads.r42, port 8082, 1 check                 3s
      Predicted 7s (3-19s, no runs to go by yet); live is not touched. * critical path
      WARNING invoices-exist fails if db, which is kept, names what came into uploads after the point
      next: refloat recover --plan c4179456"
    `);
  });

  it("of an undo puts the old side back", () => {
    const plan = planUndo({
      service: shop,
      graph: buildGraph(shop),
      undoes: {
        run: 42 as RunNumber,
        runUid: "0b6b8a53-5a5e-4d3c-9d0c-2f6b8a535a5e",
        acceptLoss: true,
        exchanges: { db: { incoming: "shop_old42", outgoing: "shop_r42" } },
        releases: { app: "/srv/shop/releases/2.5.0" },
      },
      rebound: ["app"],
      components: liveShop,
      losses: [{ component: "db", about: "3 new orders", lostMs: 61_000 }],
      history: [],
      now: "2026-11-22T15:12:08.000Z",
    });
    expect(renderPlan(plan, screen, { next: null })).toMatchInlineSnapshot(`
      "Plan b213bc86  shop, undo of run 42
      LOSES   db 1m01s: 3 new orders; a point is taken first
      KEEPS   db as it is now, shop_r42
      WAVE  STEP         WHAT                                             TIME
      1   * capture      a point of shop as it is now, before it is left    1s
      2   * put back db  shop > shop_r42, shop_old42 > shop, restart app    7s
      3   * probe        http://127.0.0.1:8080/health                       1s
      Predicted 8s (4-24s, no runs to go by yet); traffic held 7s. * critical path"
    `);
  });

  it("puts the run's number where names wait for it", () => {
    const names = { stable: "shop", instance: "shop_r{run}", retired: "shop_old{run}" };
    const db = liveShop["db"];
    if (db === undefined) throw new Error("no db");
    const plan = planRecovery(recoveryInput({ components: { ...liveShop, db: { ...db, names } } }));
    expect(renderPlan(plan, screen, { run: 7 })).toContain("shop > shop_old7, shop_r7 > shop, restart app");
    expect(renderPlan(plan, screen)).toContain("shop > shop_oldN, shop_rN > shop");
  });

  it("fits in three lines before a question", () => {
    expect(renderPlanBriefly(planRecovery(recoveryInput({ history })), screen)).toMatchInlineSnapshot(`
      "Plan 6055e19e  LOSES db 21m34s: about 312 orders (last write 14:21:38); saved to CSV first
      KEEPS app 2.5.0, uploads (312 invoices become orphans), proxy
      * restore db > save lost rows > try app 2.5.0 > cut over db > probe  about 44s"
    `);
  });

  it("holds no secret and no reference to one", () => {
    const text = renderPlan(planRecovery(recoveryInput()), screen);
    expect(text).not.toMatch(/file:|password|postgres:\/\//);
    const probe = { kind: "http", options: { http: "http://u:hunter2@127.0.0.1:8080/health" }, timeoutMs: 1_000 };
    const told = renderPlan(planRecovery(recoveryInput({ service: { ...shop, probe } })), screen);
    expect(told).toContain("http://127.0.0.1:8080/health");
    expect(told).not.toContain("hunter2");
  });
});
