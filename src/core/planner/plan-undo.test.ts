import { describe, expect, it } from "vitest";
import { captured, liveShop, shop } from "../../../test/fixtures/shop.ts";
import type { RunNumber } from "../../model/identifiers.ts";
import { planSchema } from "../../model/plan.ts";
import { buildGraph } from "../graph/build-graph.ts";
import type { UndoInput } from "./planner-input.ts";
import { planUndo } from "./plan-undo.ts";

const input = (parts: Partial<UndoInput> = {}): UndoInput => ({
  service: shop,
  graph: buildGraph(shop),
  undoes: {
    run: 42 as RunNumber,
    runUid: "0b6b8a53-5a5e-4d3c-9d0c-2f6b8a535a5e",
    acceptLoss: false,
    exchanges: { db: { incoming: "shop_old42", outgoing: "shop_r42" } },
    releases: { app: "/srv/shop/releases/2.5.0" },
  },
  rebound: ["app"],
  components: liveShop,
  losses: [],
  history: [],
  now: "2026-11-22T16:00:00.000Z",
  ...parts,
});

describe("planUndo", () => {
  it("puts the old side back in the order of a cutover", () => {
    const plan = planUndo(input());
    expect(planSchema.parse(plan)).toEqual(plan);
    expect(plan.intent).toMatchObject({ purpose: "undo", point: null, scope: ["db"], rebound: ["app"], cutover: true });
    expect(plan.intent.steps.map(({ id }) => id)).toEqual([
      "hold",
      "fence:app",
      "switch:db",
      "save-lost:db:final",
      "start:app",
      "admit",
      "probe",
    ]);
    expect(plan.forecast.steps["switch:db"]?.what).toBe("shop > shop_r42, shop_old42 > shop");
    expect(plan.forecast.keeps).toEqual(["db as it is now, shop_r42"]);
  });

  it("reckons with a look through the side that is left, by what the undone run restored there", () => {
    const db = captured("db", "postgres", "2026-11-22T13:00:04.000Z", {
      sizeBytes: 15_000_000_000,
      counts: { tables: 23 },
    });
    const { forecast } = planUndo(input({ captured: { db } }));
    expect(forecast.steps["save-lost:db:final"]).toMatchObject({ durationMs: 101_500, basis: "size" });
    expect(forecast.heldMs).toBeGreaterThan(101_500);
    expect(planUndo(input()).forecast.steps["save-lost:db:final"]).toMatchObject({ basis: "default" });
  });

  it("captures the new side first when its loss was accepted", () => {
    const { undoes } = input();
    const losses = [{ component: "db", about: "3 new orders", lostMs: 61_000 }];
    const plan = planUndo(input({ undoes: { ...undoes, acceptLoss: true }, losses }));
    expect(plan.intent.steps[0]).toMatchObject({ id: "capture", needs: [] });
    expect(plan.intent.steps[1]).toMatchObject({ id: "hold", needs: ["capture"] });
    // And once more when nobody writes any more, before anything is switched.
    expect(plan.intent.steps.map(({ id }) => id).slice(2, 5)).toEqual(["fence:app", "capture:final", "switch:db"]);
    expect(plan.forecast.loses).toEqual([
      { component: "db", about: "3 new orders", lostMs: 61_000, saved: "a point is taken first" },
    ]);
    expect(plan.digest).not.toBe(planUndo(input()).digest);
  });

  it("takes no point of a side that does not answer, and says that what it took stays in it alone", () => {
    const { undoes } = input();
    const losses = [{ component: "db", about: "may be some: it does not answer", lostMs: 61_000 }];
    const silent = [{ component: "db", found: "connection refused" }];
    const plan = planUndo(input({ undoes: { ...undoes, acceptLoss: true }, losses, silent }));
    expect(planSchema.parse(plan)).toEqual(plan);
    expect(plan.intent.steps.map(({ action }) => action.kind)).not.toContain("capture");
    expect(plan.forecast.loses).toEqual(losses);
    expect(plan.forecast.warnings).toEqual([
      {
        code: "undo.silent-side",
        message:
          "the new side of db does not answer (connection refused): no point of it is taken, and what it has taken since the cutover stays in shop_r42 alone",
      },
    ]);
  });

  it("takes no point where a component that it leaves alone does not answer, since a point is of all", () => {
    const { undoes } = input();
    const losses = [{ component: "db", about: "3 new orders", lostMs: 61_000 }];
    const silent = [{ component: "cache", found: "connection refused" }];
    const plan = planUndo(input({ undoes: { ...undoes, acceptLoss: true }, losses, silent }));
    expect(plan.intent.steps.map(({ action }) => action.kind)).not.toContain("capture");
    expect(plan.forecast.loses).toEqual(losses);
    expect(plan.forecast.warnings).toEqual([
      {
        code: "undo.silent-side",
        message:
          "cache does not answer (connection refused): no point of the service is taken, and what the new sides have taken since the cutover stays in them alone",
      },
    ]);
  });

  it("puts nothing back where nothing was, starts and admits nothing on it, and says so", () => {
    const { undoes } = input();
    const exchanges = { db: { incoming: "shop_old42", outgoing: "shop_r42", toNothing: true as const } };
    const plan = planUndo(input({ undoes: { ...undoes, exchanges } }));
    expect(planSchema.parse(plan)).toEqual(plan);
    expect(plan.intent.steps.map(({ id }) => id)).toEqual(["hold", "fence:app", "switch:db", "save-lost:db:final"]);
    expect(plan.forecast.steps["switch:db"]?.what).toBe("shop > shop_r42, nothing > shop");
    expect(plan.forecast.warnings).toEqual([
      {
        code: "undo.to-nothing",
        message:
          "nothing stood behind db before run 42, so nothing is put back: app is stopped and not started again and traffic stays held",
      },
    ]);
  });

  it("reloads and restarts what was switched", () => {
    const { undoes } = input();
    const exchanges = Object.fromEntries(
      ["db", "app", "proxy"].map((name) => [name, { incoming: `${name}_old42`, outgoing: `${name}_r42` }]),
    );
    const plan = planUndo(input({ undoes: { ...undoes, exchanges }, rebound: [] }));
    expect(plan.intent.scope).toEqual(["db", "app", "proxy"]);
    const byId = new Map<string, readonly string[]>(plan.intent.steps.map(({ id, needs }) => [id, needs]));
    expect(byId.get("start:app")).toEqual(["save-lost:db:final", "switch:app", "switch:proxy"]);
    expect(byId.get("reload:proxy")).toEqual(["start:app"]);
  });
});
