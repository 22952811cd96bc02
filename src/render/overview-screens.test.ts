import { describe, expect, it } from "vitest";
import { outcome, recoveryInput, shop, shopIncident, shopPoint, shopPoints } from "../../test/fixtures/shop.ts";
import { shopPlan, shopRun, stoppedAt } from "../../test/fixtures/shop-run.ts";
import { planRecovery } from "../core/planner/plan-recovery.ts";
import { wordsAfterStop } from "../core/run/words-after-stop.ts";
import type { SnapshotId } from "../model/identifiers.ts";
import type { RunRecord } from "../model/run.ts";
import { renderCapture } from "./capture-screen.ts";
import { renderLiveValidation } from "./live-validation-screen.ts";
import { type Screen, plainPaint } from "./screen.ts";
import { renderStatus } from "./status-screen.ts";
import { renderVerify } from "./verify-screen.ts";

const screen: Screen = { paint: plainPaint, width: 100, timeZone: "Europe/Berlin" };
const now = "2026-11-22T15:12:08.000Z";

describe("status", () => {
  const down = { ...outcome("probe", "failed"), found: "price 0" };
  const notes = { ...shop, name: "notes", schedule: "every 1h", objectives: {} };

  it("puts what users see first and ends in what to type", () => {
    const services = [
      {
        service: shop,
        lastPoint: shopPoints[0] ?? null,
        probe: down,
        runs: [shopRun()],
        lastRecovery: { actualMs: 50_000 },
      },
      {
        service: { ...shop, name: "market" },
        lastPoint: shopPoints[0] ?? null,
        probe: outcome("probe", "passed"),
        runs: [],
        lastRecovery: null,
      },
      {
        service: notes,
        lastPoint: shopPoint({ id: "aa", at: "2026-11-22T10:00:00.000Z" }),
        probe: null,
        runs: [],
        lastRecovery: null,
      },
      { service: { ...notes, name: "new" }, lastPoint: null, probe: null, runs: [], lastRecovery: null },
    ];
    expect(renderStatus({ at: now, vault: { problem: null, verification: null, gone: [] }, services }, screen))
      .toMatchInlineSnapshot(`
        "16:12 CET, vault ok, never verified
        SERVICE  STATE     LAST POINT         RPO        LAST RECOVERY      PROBLEM
        shop     DOWN      16:00 (12m ago)    12m of 1h  50s of 15m         probe: price 0;
                                                                            checks failed at the last point;
                                                                            run 42 keeps shop_old42
        market   ok        16:00 (12m ago)    12m of 1h  never, 15m wanted  checks failed at the last point
        notes    no probe  11:00 (5h12m ago)  5h12m      never              overdue since 12:00
        new      no probe  never                         never              no recovery point yet
        next: refloat points shop"
      `);
  });

  it("names a rehearsal that stands beside, until it is cancelled", () => {
    const plan = planRecovery(recoveryInput({ request: { at: null, only: ["db"], cutover: false } }));
    const rehearsal = shopRun({ incidentAt: null }, () => ({}), plan);
    const told = (run: RunRecord): string =>
      renderStatus(
        {
          at: now,
          vault: { problem: null, verification: null, gone: [] },
          services: [
            {
              service: { ...shop, schedule: "every 1h" },
              lastPoint: shopPoint({ id: "aa", at: "2026-11-22T15:00:00.000Z" }),
              probe: outcome("probe", "passed"),
              runs: [run],
              lastRecovery: null,
            },
          ],
        },
        screen,
      );
    expect(told(rehearsal)).toContain("run 42 stands beside: shop_r42");
    expect(told(rehearsal)).toContain("next: refloat runs 42\n  or: refloat cancel 42");
    expect(told({ ...rehearsal, state: "cancelled" })).not.toContain("42");
  });

  it("names who is asked and how much hangs on it where something is wrong, and only there", () => {
    const owned = { ...shop, criticality: "critical" as const, owners: ["dba", "web"] };
    const shown = (probe: typeof down) => {
      const services = [{ service: owned, lastPoint: null, probe, runs: [], lastRecovery: null }];
      const wide = { ...screen, width: 160 };
      return renderStatus({ at: now, vault: { problem: null, verification: null, gone: [] }, services }, wide);
    };
    expect(shown(down)).toContain("probe: price 0; no recovery point yet; critical; owners: dba and web");
    expect(shown(outcome("probe", "passed"))).not.toContain("owners");
  });

  it("shows an open incident, and what to type about it", () => {
    const incident = shopIncident("2026-11-22T13:21:40.000Z", "prices are 0");
    const shown = (parts: Partial<Parameters<typeof renderStatus>[0]["services"][number]>) => {
      const state = { service: shop, lastPoint: shopPoints[0] ?? null, runs: [], lastRecovery: null, incident };
      const services = [{ ...state, probe: outcome("probe", "passed"), ...parts }];
      const wide = { ...screen, width: 160 };
      return renderStatus({ at: now, vault: { problem: null, verification: null, gone: [] }, services }, wide);
    };
    expect(shown({})).toContain("incident since 14:21: prices are 0");
    expect(shown({})).toContain("next: refloat plan shop");
    expect(shown({ lastRecovery: { actualMs: 50_000 } })).toContain("next: refloat incident close shop");
    expect(shown({ incident: null })).not.toContain("incident");
  });

  it("shows what may still be frozen before all else but a run that waits, and what is held by a capture", () => {
    const shown = (isKept: boolean, failure: { readonly reason: string } | null) => {
      const frozen = { sinceAt: "2026-11-22T13:21:40.000Z", isKept, failure };
      const services = [
        { service: shop, lastPoint: shopPoints[0] ?? null, probe: down, runs: [], lastRecovery: null, frozen },
      ];
      const wide = { ...screen, width: 200 };
      return renderStatus({ at: now, vault: { problem: null, verification: null, gone: [] }, services }, wide);
    };
    expect(shown(false, { reason: 'thaw: "resume" failed: exit status 7' })).toContain(
      'MAY BE FROZEN since 14:21: thaw: "resume" failed: exit status 7; probe: price 0',
    );
    expect(shown(false, null)).toContain("its capture and the process that thaws were both killed");
    expect(shown(false, null)).toContain("next: refloat capture shop");
    expect(shown(true, null)).toContain("held still by a capture since 14:21");
    expect(shown(true, null)).toContain("next: refloat points shop");
  });

  it("says when the vault was verified, and what came of it", () => {
    const shown = (vault: Partial<Parameters<typeof renderStatus>[0]["vault"]>) =>
      renderStatus({ at: now, vault: { problem: null, verification: null, gone: [], ...vault }, services: [] }, screen);
    const at = "2026-11-22T13:12:09.000Z";
    expect(shown({ verification: { at, errors: 0 } })).toContain("vault ok, verified 1h59m ago\n");
    expect(shown({ verification: { at, errors: 2 } })).toContain("VAULT: 2 errors when verified 1h59m ago\n");
    expect(shown({ gone: ["ab"] })).toContain("VAULT: 1 point gone that this machine has seen: refloat verify\n");
  });

  it("says what is down where no probe is asked, and leaves the last word to one that is", () => {
    const shown = (parts: Partial<Parameters<typeof renderStatus>[0]["services"][number]>) => {
      const state = { service: shop, lastPoint: shopPoints[0] ?? null, probe: null, runs: [], lastRecovery: null };
      const silent = [
        { component: "db", isDown: true, found: "does not answer at 127.0.0.1:5432 (refused)" },
        { component: "cache", isDown: false, found: "the secret is not there" },
      ];
      const wide = { ...screen, width: 300 };
      const vault = { problem: null, verification: null, gone: [] };
      return renderStatus({ at: now, vault, services: [{ ...state, silent, ...parts }] }, wide);
    };
    expect(shown({})).toMatch(/\nshop +DOWN /);
    expect(shown({})).toContain(
      "db is down: does not answer at 127.0.0.1:5432 (refused); cache cannot be asked: the secret is not there",
    );
    expect(shown({})).toContain("next: refloat points shop");
    expect(shown({ silent: [] })).toMatch(/\nshop +no probe /);
    const answered = shown({ probe: outcome("probe", "passed") });
    expect(answered).toMatch(/\nshop +ok /);
    expect(answered).toContain("db is down");
  });

  it("captures next where a log leads on from no point", () => {
    const logs = [{ component: "db", toAt: now, leadsOn: false }];
    const service = { ...shop, schedule: undefined };
    const state = { service, lastPoint: shopPoints[3] ?? null, probe: null, runs: [], lastRecovery: null, logs };
    const shown = renderStatus(
      { at: now, vault: { problem: null, verification: null, gone: [] }, services: [state] },
      { ...screen, width: 300 },
    );
    expect(shown).toMatch(/the log of db leads on from no point(?!:)/);
    expect(shown).toContain("next: refloat capture shop");
  });

  it("ends in the decision on an old side, and in what goes on with a recovery that failed last", () => {
    const shown = (runs: readonly RunRecord[]) => {
      const taken = shopPoints[3] ?? null;
      const probe = outcome("probe", "passed");
      const service = { service: { ...shop, schedule: undefined }, lastPoint: taken, probe, runs, lastRecovery: null };
      return renderStatus(
        { at: now, vault: { problem: null, verification: null, gone: [] }, services: [service] },
        screen,
      );
    };
    expect(shown([shopRun()])).toContain("next: refloat undo 42\n  or: refloat commit 42");
    const mails = { name: "mails", added: 12, changed: 0, removed: 0, file: "mails.csv", byHand: true };
    const output = { lastWriteAt: null, units: [mails], gaps: [], directory: "runs/42/lost" };
    const byHand = shopRun({}, (id) => (id === "save-lost:db:final" ? { output } : {}));
    expect(shown([byHand])).toContain("next: refloat undo 42\n  or: refloat runs 42");
    const failed = shown([shopRun({ state: "failed" }, stoppedAt("check:db", { state: "failed" }))]);
    expect(failed).toContain("run 42 failed");
    expect(failed).toContain("next: refloat resume 42\n  or: refloat cancel 42");
  });

  it("shows a vault that does not open, and a run that waits before all else", () => {
    const interrupted = shopRun(
      { state: "interrupted", endedAt: null },
      stoppedAt("check:db", { state: "interrupted" }),
    );
    const words = wordsAfterStop(interrupted, shopPlan.intent.steps);
    const service = { service: shop, lastPoint: null, probe: down, runs: [interrupted], words, lastRecovery: null };
    const closed = { problem: "no key of the vault opens with this password", verification: null, gone: [] };
    expect(renderStatus({ at: now, vault: closed, services: [service] }, screen)).toMatchInlineSnapshot(`
      "16:12 CET, VAULT: no key of the vault opens with this password
      SERVICE  STATE               LAST POINT  RPO      LAST RECOVERY      PROBLEM
      shop     DOWN 1h50m, mtd 4h  ?           ? of 1h  never, 15m wanted  run 42 interrupted;
                                                                           probe: price 0
      next: refloat validate --live"
    `);
    expect(
      renderStatus({ at: now, vault: { problem: null, verification: null, gone: [] }, services: [service] }, screen),
    ).toContain("next: refloat resume 42\n  or: refloat cancel 42");
    expect(
      renderStatus({ at: now, vault: { problem: null, verification: null, gone: [] }, services: [] }, screen),
    ).toContain("next: refloat init");
  });
});

describe("capture", () => {
  it("says what was taken, what it added and what is wrong with it", () => {
    const [bad] = shopPoints;
    const good = shopPoints[3];
    if (bad === undefined || good === undefined) throw new Error("no points");
    expect(renderCapture(good, [], screen)).toMatchInlineSnapshot(`
      "point 5d0c88e1 of shop, 14:00:04 CET, taken in 1.4s; 2.2 MB new in the vault
      COMPONENT    SIZE     NEW  HOLDS
      db         1.1 GB  2.2 MB  23 tables
      uploads    180 MB     0 B  5,012 files
      app          9 MB     0 B  212 files
      proxy        4 kB     0 B  3 files
      Consistency ordered, within 1s, proven
      Checked     1 check and 1 invariant pass at the source
      next: refloat plan shop --at 5d0c88e1"
    `);
    expect(renderCapture(bad, ["lock: is declared, and the point will not be locked"], screen)).toMatchInlineSnapshot(`
      "point 3c71e0aa of shop, 16:00:03 CET, taken in 1.6s; 4.1 MB new in the vault
      COMPONENT    SIZE     NEW  HOLDS
      db         1.1 GB  4.1 MB  23 tables
      uploads    180 MB     0 B  5,012 files
      app          9 MB     0 B  212 files
      proxy        4 kB     0 B  3 files
      Consistency ordered, within 1.2s, unproven
      Checked     1 of 2 checks and invariants pass at the source
      WARNING lock: is declared, and the point will not be locked
      WARNING products fails: false
      next: refloat plan shop --at 3c71e0aa"
    `);
  });
});

describe("verify", () => {
  it("says that the vault is whole, or what is hurt", () => {
    const counts = { snapshots: 40, packs: 310, blobs: 52_110, bytesRead: 4_100_000_000 };
    const coverage = {
      days: 30,
      packs: 310,
      packsRead: 310,
      bytes: 4_100_000_000,
      bytesRead: 4_100_000_000,
      provenSince: now,
    };
    const reading = { packs: 310, packsRead: 310, bytes: 4_100_000_000, bytesRead: 4_100_000_000 };
    const rate = { durationMs: 20_500, fullPassMs: 20_500 };
    const known = { coverage, reading: { ...reading, ...rate }, roots: { proven: 38, none: 2, foreign: 0 }, gone: [] };
    const whole = { ...counts, ...known, depth: "read-data" as const, findings: [], hurt: [], hurtLogs: [] };
    expect(renderVerify(whole, screen)).toMatchInlineSnapshot(`
      "the vault is whole  40 snapshots, 310 packs, 52,110 blobs; every byte read (4.1 GB)
      100 % read in the last 30 days, from this machine
      38 points proven by their roots; 2 of an earlier version without one
      next: refloat status"
    `);
    const part = {
      ...counts,
      ...known,
      depth: "sample" as const,
      findings: [],
      hurt: [],
      hurtLogs: [],
      bytesRead: 120_000_000,
      reading: { ...reading, packsRead: 9, bytesRead: 120_000_000, durationMs: 600_400, fullPassMs: 20_513_667 },
    };
    expect(renderVerify(part, screen)).toMatchInlineSnapshot(`
      "the vault is whole  40 snapshots, 310 packs, 52,110 blobs; 120 MB read
      read 2.9 % of 4.1 GB in 10m, what was read longest ago first;
      at this rate all of it takes about 5h41m54s
      100 % read in the last 30 days, from this machine
      38 points proven by their roots; 2 of an earlier version without one
      next: refloat verify --read-data"
    `);
    const snapshot = "5a".repeat(32) as SnapshotId;
    const parts = [{ component: "db", files: ["/db/3012.dat"], tables: ["orders"] }];
    const damaged = {
      ...counts,
      ...known,
      coverage: { ...coverage, packsRead: 250, bytesRead: 3_410_000_000, provenSince: null },
      reading: null,
      depth: "structure" as const,
      findings: [
        {
          severity: "error" as const,
          message: "the pack is missing",
          object: { kind: "pack", id: "ab12cd34" },
          affects: [{ snapshot, path: "/db/3012.dat" }],
        },
      ],
      hurtLogs: [],
      hurt: [{ point: shopPoints[3]?.id ?? "", service: "shop", components: ["db"], parts }],
    };
    expect(renderVerify(damaged, screen)).toMatchInlineSnapshot(`
      "THE VAULT IS DAMAGED: 1 error  40 snapshots, 310 packs, 52,110 blobs; structure only;
      --read-data proves the bytes
      error the pack is missing (pack ab12cd34)
        needed by /db/3012.dat in 5a5a5a5a
      point 5d0c88e1 of shop cannot be recovered whole: db hurt
        db: orders
      83 % read in the last 30 days, from this machine
      38 points proven by their roots; 2 of an earlier version without one
      next: refloat verify --read-data --repair"
    `);
    // No repair brings back what was taken away whole.
    const point = "7f3a91c2".repeat(8);
    const gone = {
      severity: "error" as const,
      message: "the point is gone",
      object: { kind: "point", id: point },
      affects: [],
    };
    const missed = { ...whole, findings: [gone], gone: [{ point, accepted: false }] };
    expect(renderVerify(missed, screen)).toMatch(/next: refloat verify --accept-gone$/);
    const broken = { ...gone, object: { kind: "point", id: "another" } };
    expect(renderVerify({ ...missed, findings: [gone, broken] }, screen)).toMatch(/next: refloat verify --read-data$/);
  });
});

describe("validate --live", () => {
  it("shows who answers, what will be run, and what to mend", () => {
    const subjects = [
      {
        service: "shop",
        subject: "db",
        report: {
          findings: [
            { ok: true, subject: "server", found: "PostgreSQL 15.18 at 127.0.0.1:5432" },
            { ok: false, subject: "rights", found: "shop may not read sessions", hint: "grant it, as below" },
          ],
          commands: ["pg_dump -Fc -Z0 --snapshot=... shop"],
          recoveryCommands: ["pg_restore --use-list=LIST DEFINITIONS"],
          grants: ["grant select on all tables in schema public to shop;"],
        },
      },
      {
        service: "shop",
        subject: "vault",
        report: {
          findings: [{ ok: true, subject: "vault", found: "opens" }],
          commands: [],
          recoveryCommands: [],
          grants: [],
        },
      },
    ];
    expect(renderLiveValidation({ ok: false, subjects }, screen)).toMatchInlineSnapshot(`
      "shop
        ok    db: server: PostgreSQL 15.18 at 127.0.0.1:5432
        FAULT db: rights: shop may not read sessions
              hint: grant it, as below
        a capture runs for db:
          pg_dump -Fc -Z0 --snapshot=... shop
        a recovery runs for db:
          pg_restore --use-list=LIST DEFINITIONS
        the least rights that suffice:
          grant select on all tables in schema public to shop;
        ok    vault: opens
      1 fault to mend
      next: refloat validate --live"
    `);
  });
});

describe("colour", () => {
  it("comes from the screen and changes no text", () => {
    const painted: Screen = { ...screen, paint: (style, text) => `<${style}>${text}</${style}>` };
    const data = {
      at: now,
      vault: { problem: null, verification: null, gone: [] },
      services: [
        {
          service: shop,
          lastPoint: shopPoints[0] ?? null,
          probe: outcome("probe", "failed"),
          runs: [],
          lastRecovery: null,
        },
      ],
    };
    const text = renderStatus(data, painted);
    expect(text).toContain("<red>DOWN</red>");
    expect(text.replaceAll(/<\/?[a-z]+>/g, "")).toBe(renderStatus(data, screen));
  });
});
