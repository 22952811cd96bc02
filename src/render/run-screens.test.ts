import { describe, expect, it } from "vitest";
import { at, began, done, failed, moved, shopPlan, shopRun, stoppedAt } from "../../test/fixtures/shop-run.ts";
import { recoveryInput, shop } from "../../test/fixtures/shop.ts";
import { planRecovery } from "../core/planner/plan-recovery.ts";
import { summarizeRun } from "../core/run/run-summary.ts";
import { advanceRunView, beginRunView } from "../core/run-view/run-view.ts";
import type { StepId } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import type { RunEvent, RunRecord } from "../model/run.ts";
import { textWidth } from "./fit-text.ts";
import { renderRunFrame, renderRunLine, renderStepLine } from "./run-frame.ts";
import { renderRunReport } from "./run-report.ts";
import { renderRuns } from "./runs-screen.ts";
import { type Screen, plainPaint } from "./screen.ts";
import { describeResult } from "./step-result.ts";

const screen: Screen = { paint: plainPaint, width: 100, timeZone: "Europe/Berlin" };
const report = (record: RunRecord, plan = shopPlan) =>
  renderRunReport(summarizeRun(record, plan, [], at(51)), plan, at(51), screen);
const view = (events: readonly RunEvent[]) => events.reduce(advanceRunView, beginRunView(shopPlan, null));

describe("the report of a service with owners", () => {
  it("names them, and tells when the service was away for longer than its mtd", () => {
    const service = { ...shop, owners: ["dba"], objectives: { rto: "15m", mtd: "1h" } };
    const plan = planRecovery(recoveryInput({ service }));
    const text = report(shopRun({}, undefined, plan), plan);
    expect(text).toMatch(/^At stake {4}owners: dba$/m);
    expect(text).toMatch(/^ {12}away for longer than 1h, after which the harm is lasting \(mtd\)$/m);
    expect(report(shopRun())).not.toMatch(/At stake|harm/);
  });
});

describe("a run that goes on", () => {
  const restoring = [
    began(1, 0, "restore:db"),
    ...[5, 10, 15, 20].map((second) => moved(second, "restore:db", second * 38_600_000, second - 3)),
  ];

  it("shows what moves, how fast, and what comes next", () => {
    expect(renderRunFrame(view(restoring), at(21), screen)).toMatchInlineSnapshot(`
      "run 42  shop, only db, to 14:00:04   0:21 gone, about 0:34 left
      * now   restore db            ████████░░░░  772 MB of 1.1 GB  39 MB/s  17/23 tables  0:08 left
      * next  save lost rows > try app 2.5.0 > approve > cut over > probe
      Ctrl-C stops here, live is untouched; then: refloat resume 42, or refloat cancel 42"
    `);
  });

  it("shows what is done and what runs at the same time", () => {
    const checking = [
      ...restoring,
      done(2, 29, "restore:db"),
      began(3, 29, "save-lost:db"),
      began(4, 29, "check:db"),
      done(5, 31, "save-lost:db"),
    ];
    expect(renderRunFrame(view(checking), at(31), screen)).toMatchInlineSnapshot(`
      "run 42  shop, only db, to 14:00:04   0:31 gone, about 0:20 left
        done  restore db            1.1 GB, 23 tables, every byte verified  29.0s
        done  save lost rows        310 orders in runs/42/lost/orders.csv  2.0s
      * now   check db              0:02
      * next  try app 2.5.0 > approve > cut over > probe
      Ctrl-C stops here, live is untouched; then: refloat resume 42, or refloat cancel 42"
    `);
  });

  it("shows a failure with its reason and the cutover with its own advice", () => {
    const order = shopPlan.intent.steps.map(({ id }) => id);
    const before = order.slice(0, order.indexOf("start:app" as StepId));
    const cut = [
      ...before.map((id, index) => done(index, index, id)),
      failed(20, 40, "start:app", "app fails its checks on the new side: HTTP 500"),
    ];
    expect(renderRunFrame(view(cut), at(41), screen)).toMatchInlineSnapshot(`
      "run 42  shop, only db, to 14:00:04   0:41 gone
        ... 3 steps more are done
        done  check invoices-exist  199,990 links hold, 312 orphans  1.0s
        done  try app 2.5.0         1 check passed  2.0s
        done  approve               yes, anna  11.0s
        done  hold traffic          0.2s
        done  stop app              stopped  0.8s
        done  switch db             shop > shop_old42, shop_r42 > shop  0.4s
        done  settle db             312 orders in runs/42/lost/orders.csv; orders_id_seq goes on af...  1.0s
        FAIL  start app 2.5.0       app fails its checks on the new side: HTTP 500
      cutting over; if this is cut short: refloat resume 42"
    `);
  });

  it("is one line each for a log", () => {
    const moving = view(restoring);
    expect(renderRunLine(moving, at(21), screen)).toBe(
      "run 42  shop, only db, to 14:00:04   0:21 gone, about 0:34 left; restore db 772 MB of 1.1 GB 39 MB/s 17/23 tables",
    );
    const ended = view([...restoring, done(2, 29, "restore:db")]);
    expect(renderStepLine(ended, "restore:db" as StepId, at(29), screen)).toBe(
      "  done  restore db            1.1 GB, 23 tables, every byte verified  29.0s",
    );
    expect(renderStepLine(ended, "nothing" as StepId, at(29), screen)).toBe("");
  });

  it("never gets wider than the terminal", () => {
    const events = shopPlan.intent.steps.map(({ id }, index) => done(index, index, id));
    for (let count = 0; count <= events.length; count += 1) {
      const frame = renderRunFrame(view([...restoring, ...events.slice(0, count)]), at(21), { ...screen, width: 60 });
      expect(Math.max(...frame.split("\n").map(textWidth))).toBeLessThanOrEqual(64);
    }
  });
});

describe("the report", () => {
  it("of a recovery says that the service is back, how long it was away and what was lost", () => {
    expect(report(shopRun())).toMatchInlineSnapshot(`
      "SHOP IS BACK  run 42, 16:13:22 CET.  Point 5d0c88e1, plan cec207a8 followed
      RTO actual  1h51m41s of 15m MISSED   14:21:40 first wrong answer, 16:13:21 normal again
                  noticed and decided 1h50m51s | restore 31s | check 3s | approve 11s | cut over 4.5s |
                  probe 0.5s
      RPO actual  db 21m34s of 1h met   312 orders to review: runs/42/lost/orders.csv
      Validated   1.1 GB, 23 tables as captured; 2 checks, 1 invariant, probe
      Settled     orders_id_seq goes on after 200,312
      Kept        old side: db as shop_old42
                  refloat undo 42 puts it back, free of loss until the new side takes its first write
      Machine     39s of 1m21s predicted; no retries
      next: refloat undo 42
        or: refloat reconcile 42
        or: refloat commit 42"
    `);
  });

  it("of a recovery offers reconcile where rows were counted and not exported, and only where there is one", () => {
    const unit = { name: "all databases", added: 3, changed: 0, removed: 0, file: null, counted: "rows" as const };
    const told = (parts: object): string =>
      report(
        shopRun({}, (id) =>
          id.startsWith("save-lost")
            ? { output: { lastWriteAt: null, units: [unit], gaps: [], directory: "d", settled: [], ...parts } }
            : {},
        ),
      );
    expect(told({ hasReconcile: true })).toContain("or: refloat reconcile 42");
    expect(told({ hasReconcile: true, units: [], gaps: ["how many cannot be told"] })).toContain(
      "refloat reconcile 42",
    );
    expect(told({ hasReconcile: true, units: [] })).not.toContain("reconcile");
    expect(told({ hasReconcile: false })).not.toContain("reconcile");
    // A run of an older Refloat.
    expect(told({})).not.toContain("reconcile");
  });

  it("of a recovery without a known incident says the least that it took, and not that this was in time", () => {
    const text = report(shopRun({ incidentAt: null }));
    expect(text).toContain("RTO actual  at least 50s of 15m   16:12:31 run began (when it broke is not known),");
    expect(text).not.toContain("15m met");
  });

  it("of an undo whose old side answers wrong says so, and claims neither a probe nor an RTO", () => {
    const wrong = { subject: "probe", kind: "http", status: "failed", found: "HTTP 503", durationMs: 4 };
    const text = report(
      shopRun({ purpose: "undo" }, (id) =>
        id === "probe" ? { output: { outcomes: [wrong], attempts: 90, normalAt: null } } : {},
      ),
    );
    expect(text).toContain("Probe       HTTP 503: users get a wrong answer from what serves now");
    expect(text).toContain("2 checks, 1 invariant\n");
    expect(text).not.toContain("RTO actual");
  });

  it("of an undo to nothing does not say that the service is back", () => {
    const exchanges = { db: { incoming: "shop_old42", outgoing: "shop_r42", toNothing: true as const } };
    const undoes = {
      run: shopRun().number,
      runUid: shopRun().uid,
      acceptLoss: false,
      exchanges,
      releases: {},
    };
    const plan: Plan = { ...shopPlan, intent: { ...shopPlan.intent, purpose: "undo", undoes } };
    const text = report(shopRun({ purpose: "undo" }), plan);
    expect(text).toMatch(/^SHOP IS UNDONE: NOTHING STANDS BEHIND DB/);
    expect(text).not.toContain("IS BACK");
  });

  it("names what was exchanged by the names that the run gave, whatever number it was planned with", () => {
    const step = "switch:db" as StepId;
    const output = { incoming: "/srv/main.r5", outgoing: "/srv/main.old5" };
    expect(describeResult(shopPlan, step, output)).toBe("shop > main.old5, main.r5 > shop");
    expect(describeResult(shopPlan, step, {})).toBe("shop > shop_old42, shop_r42 > shop");
  });

  it("names every command as it has to be typed here, in its prose as in its last line", () => {
    const asTyped = (text: string) => text.replaceAll(/(?<!npx )\brefloat (?=undo|commit|rearm)/g, "npx refloat ");
    const text = renderRunReport(summarizeRun(shopRun(), shopPlan, [], at(52)), shopPlan, at(52), {
      ...screen,
      asTyped,
    });
    expect(text).toContain("npx refloat undo 42 puts it back");
    expect(text).not.toMatch(/(?<!npx )refloat (?:undo|commit)/);
  });

  it("of a failure says that live is untouched and what stands beside it", () => {
    const error = {
      code: "step.check-failed",
      message: "db is not what was captured: orders: 199,990 rows, captured 200,000",
      hint: "choose another point",
    };
    expect(report(shopRun({ state: "failed", endedAt: at(33) }, stoppedAt("check:db", { state: "failed", error }))))
      .toMatchInlineSnapshot(`
        "SHOP WAS NOT RECOVERED  run 42, 16:13:22 CET.  Live is untouched
        Failed      check db (step.check-failed): db is not what was captured: orders: 199,990 rows,
                    captured 200,000
                    hint: choose another point
        Took        noticed and decided 1h50m51s | restore 31s
        Beside      restored db, shop_r42: not in use; 23 tables, every byte verified
        Machine     33s; no retries
        next: refloat resume 42
          or: refloat cancel 42"
      `);
  });

  it("of an undone cutover says that the old side serves again", () => {
    const error = { code: "step.check-failed", message: "app fails its checks on the new side: HTTP 500" };
    const taken = stoppedAt("start:app", { state: "failed", error });
    const back = new Set(["hold", "fence:app", "switch:db", "save-lost:db:final"]);
    const record = shopRun({ state: "undone", endedAt: at(52), message: "start app failed" }, (id) => ({
      ...taken(id),
      ...(back.has(id) ? { state: "compensated" as const } : {}),
    }));
    expect(report(record)).toMatchInlineSnapshot(`
      "CUTOVER UNDONE  run 42, 16:13:22 CET.  The old side serves again
      Failed      start app 2.5.0 (step.check-failed): app fails its checks on the new side: HTTP 500
      Took        noticed and decided 1h50m51s | restore 31s | check 3s | approve 11s
      Validated   1.1 GB, 23 tables as captured; 2 checks, 1 invariant
      Beside      restored db, shop_r42: not in use; 23 tables, every byte verified
      Machine     41s; no retries
      next: refloat plan shop --at 5d0c88e1
        or: refloat cancel 42"
    `);
  });

  it("of a run that waits, was cut short or needs a person says what to type", () => {
    const waiting = shopRun(
      { state: "waiting", endedAt: null, message: "cut shop over to the restored side?" },
      stoppedAt("approve", { state: "waiting" }),
    );
    expect(report(waiting)).toMatchInlineSnapshot(`
      "WAITS FOR AN ANSWER  run 42, 16:13:22 CET.  5 of 13 steps done, live is untouched
      Asks        cut shop over to the restored side?
      Took        noticed and decided 1h50m51s | restore 31s | check 3s
      Would lose  db 21m34s of 1h met   310 orders to review: runs/42/lost/orders.csv
      Validated   1.1 GB, 23 tables as captured; 2 checks, 1 invariant
      Beside      restored db, shop_r42: not in use; 23 tables, every byte verified
      next: refloat resume 42
        or: refloat cancel 42"
    `);
    const interrupted = shopRun(
      { state: "interrupted", endedAt: null },
      stoppedAt("switch:db", { state: "interrupted" }),
    );
    expect(report(interrupted)).toMatchInlineSnapshot(`
      "INTERRUPTED  run 42, 16:13:22 CET.  It is in the cutover: users may notice
      Took        noticed and decided 1h50m51s | restore 31s | check 3s | approve 11s | cut over 1s
      Would lose  db 21m34s of 1h met   310 orders to review: runs/42/lost/orders.csv
      Validated   1.1 GB, 23 tables as captured; 2 checks, 1 invariant
      Beside      restored db, shop_r42: its switch has begun and has not ended, so it may be what serves;
                  23 tables, every byte verified
      Machine     40s; no retries
      next: refloat resume 42
        or: refloat cancel 42"
    `);
  });

  it("of a restore beside live says that nothing was cut over", () => {
    const plan = planRecovery(recoveryInput({ request: { at: null, only: ["db"], cutover: false } }));
    expect(
      report(
        shopRun({ incidentAt: null }, () => ({}), plan),
        plan,
      ),
    ).toMatchInlineSnapshot(`
      "SHOP IS RESTORED BESIDE LIVE  run 42, 16:13:22 CET.  Point 5d0c88e1,
      plan 1ca7a961 followed. Live is untouched
      Took        restore 31s | check 3s
      Validated   1.1 GB, 23 tables as captured; 2 checks, 1 invariant
      Beside      restored db, shop_r42: not in use; 23 tables, every byte verified
      Machine     50s of 1m07s predicted; no retries
      next: refloat plan shop --at 5d0c88e1
        or: refloat cancel 42"
    `);
  });
});

describe("the list of runs", () => {
  it("tells how each ended and what waits", () => {
    const runs = [
      shopRun({ number: 44 as RunRecord["number"], state: "interrupted", endedAt: null }),
      shopRun({ number: 43 as RunRecord["number"], purpose: "undo", message: null }),
      shopRun({ state: "undone", message: "undone by run 43" }),
    ];
    expect(renderRuns(runs, ["refloat resume 44", "refloat cancel 44"], at(120), screen)).toMatchInlineSnapshot(`
      "RUN  SERVICE  WHAT     BEGAN     TOOK  PLAN      STATE
       44  shop     recover  16:12:31    2m  cec207a8  INTERRUPTED
       43  shop     undo     16:12:31   50s  cec207a8  done         keeps shop_old42
       42  shop     recover  16:12:31   50s  cec207a8  undone       undone by run 43
      next: refloat resume 44
        or: refloat cancel 44"
    `);
    expect(renderRuns([], [], at(0), screen)).toBe("no run yet\nnext: refloat status");
  });
});
