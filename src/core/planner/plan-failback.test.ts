import { describe, expect, it } from "vitest";
import { liveShop, recoveryInput, shop } from "../../../test/fixtures/shop.ts";
import type { RunNumber } from "../../model/identifiers.ts";
import { type Plan, planSchema } from "../../model/plan.ts";
import { buildGraph } from "../graph/build-graph.ts";
import { shapeDifferences, shapeOf } from "../failback/point-shape.ts";
import { diffPlans } from "./diff-plans.ts";
import { planRecovery } from "./plan-recovery.ts";
import { planUndo } from "./plan-undo.ts";
import type { RecoveryInput } from "./planner-input.ts";

const away = { ...shop, components: { ...shop.components } };
const point = recoveryInput().point;
const isRelease = (name: string): boolean => name === "app";
const failback: NonNullable<RecoveryInput["failback"]> = {
  run: 7 as RunNumber,
  runUid: "0b6b8a53-5a5e-4d3c-9d0c-2f6b8a535a5e",
  declaration: away,
  shape: shapeOf(point.manifest.components, Object.keys(shop.components), isRelease),
  components: liveShop,
  ways: [],
};
const planned = (parts: Partial<RecoveryInput> = {}): Plan =>
  planRecovery(recoveryInput({ failback, request: { at: null, cutover: true }, closer: null, newest: null, ...parts }));
const needsOf = ({ intent }: Plan, id: string): readonly string[] =>
  intent.steps.find((step) => step.id === id)?.needs ?? [`${id} is not in the plan`];

describe("the plan of a way home", () => {
  it("names no point, what it will be made of, and both sides", () => {
    const plan = planned();
    expect(planSchema.parse(plan)).toEqual(plan);
    expect(plan.intent).toMatchObject({
      purpose: "recover",
      point: null,
      failback: { run: 7, shape: { db: { driver: "postgres" } } },
    });
    expect(plan.forecast.loses).toEqual([]);
  });

  it("begins to hold before the last point is made, and admits when all has come home", () => {
    const plan = planned();
    const cutover = plan.intent.steps.filter(({ phase }) => phase === "cutover").map(({ id }) => id);
    expect(cutover.slice(0, 3)).toEqual(["hold@away", "fence:app@away", "capture:final@away"]);
    expect(cutover.at(-1)).toBe("admit");
    expect(needsOf(plan, "capture:final@away")).toEqual(["fence:app@away"]);
    expect(needsOf(plan, "restore:db")).toEqual(["capture@away"]);
    for (const name of ["db", "uploads", "proxy"]) {
      expect(needsOf(plan, `retire:${name}`)).toEqual(["capture:final@away"]);
      expect(needsOf(plan, `restore:${name}:final`)).toEqual([`drop:${name}`]);
    }
    expect(needsOf(plan, "check-invariant:invoices-exist:final")).toEqual([
      "restore:db:final",
      "restore:proxy:final",
      "restore:uploads:final",
    ]);
    // Home's own hold, after which its names are switched, waits for all of that.
    expect(needsOf(plan, "hold")).toEqual(expect.arrayContaining(["retire:db", "check:db:final"]));
  });

  it("tells what has changed of the point that it will make", () => {
    const { db } = failback.shape;
    if (db === undefined) throw new Error("no db");
    const other = { ...failback, shape: { ...failback.shape, db: { ...db, schemaHash: "of another schema" } } };
    const { same, subject } = diffPlans(planned(), planned({ failback: other }));
    expect(same).toBe(false);
    expect(subject).toMatchObject([{ what: "failback.point.db.schemaHash", to: "of another schema" }]);
  });

  it("reckons the second restore as outage", () => {
    expect(planned().forecast.heldMs).toBeGreaterThan(
      planRecovery(recoveryInput({ request: { at: null, cutover: true } })).forecast.heldMs,
    );
  });

  it("leaves nothing there untouched but what is not cut over", () => {
    const rehearsal = planned({ request: { at: null, cutover: false } });
    expect(rehearsal.intent.steps.some(({ phase }) => phase === "cutover")).toBe(false);
    expect(rehearsal.intent.steps.map(({ id }) => id)).toContain("capture@away");
  });

  it("warns of what nothing holds, and of what nobody can tell the writes of", () => {
    const live = liveShop["uploads"];
    if (live === undefined) throw new Error("no uploads");
    const uploads = { ...live, capabilities: { ...live.capabilities, hasWrites: false } };
    const bare = { ...failback, declaration: { ...away, cutover: [] }, components: { ...liveShop, uploads } };
    const app = liveShop["app"];
    if (app === undefined) throw new Error("no app");
    const running = { ...liveShop, app: { ...app, pid: 11 } };
    const codes = planned({ failback: bare, components: running }).forecast.warnings.map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(["failback.unheld", "failback.unproven", "failback.home-runs"]));
    expect(codes).not.toContain("point.unproven");
  });
});

describe("a migration that home's release declares", () => {
  it("is said not to be made of what is restored again behind the hold", () => {
    const { app } = liveShop;
    if (app === undefined) throw new Error("no app");
    const told = (hasMigrate: boolean) =>
      planned({
        components: { ...liveShop, app: { ...app, capabilities: { ...app.capabilities, hasMigrate } } },
      }).forecast.warnings.flatMap(({ code, message }) => (code === "failback.unmigrated" ? [message] : []));
    expect(told(true)).toEqual([
      "what is restored again behind the hold is not migrated for app: if its release here needs that, its start fails and the cutover is taken back; have the same release there first",
    ]);
    expect(told(false)).toEqual([]);
  });
});

describe("what both files name", () => {
  it("stays as it is, and is said to be one by name alone where nothing shows it", () => {
    const told = (asserted?: Readonly<Record<string, string>>) =>
      planned({
        failback: { ...failback, ...(asserted === undefined ? {} : { asserted }) },
        request: { at: null, cutover: true, only: ["db", "app"] },
      }).forecast.warnings.flatMap(({ code, message }) => (code === "failback.shared" ? [message] : []));
    expect(told()).toContain("uploads is one and the same on both sides: it stays as it is");
    expect(told({ uploads: "/srv/uploads" })).toContain(
      `uploads stays as it is, since both files name /srv/uploads and here that is one; run ${failback.run} put nothing there that would prove it: if the other side has one of its own of that name, what was written there stays there`,
    );
  });
});

describe("what is put away with its server stopped", () => {
  it("is named, since nobody can tell then what was written to it", () => {
    const { db } = liveShop;
    if (db === undefined) throw new Error("no db");
    const stopped = { ...db, capabilities: { ...db.capabilities, blindOncePutAway: true } };
    const told = (components: typeof liveShop, cutover = true) =>
      planned({ failback: { ...failback, components }, request: { at: null, cutover } }).forecast.warnings.flatMap(
        ({ code, message }) => (code === "failback.unproven" && message.includes("put away") ? [message] : []),
      );
    expect(told({ ...liveShop, db: stopped })).toEqual([
      "what is written to db past hold and fence cannot be told once its server is stopped and put away: the run then says that something may have been written, and goes on; look at the old side there before you commit it",
    ]);
    expect(told(liveShop)).toEqual([]);
    expect(told({ ...liveShop, db: stopped }, false)).toEqual([]);
  });
});

describe("the undo of a way home", () => {
  it("leaves home closed and lets users in there", () => {
    const plan = planUndo({
      service: shop,
      graph: buildGraph(shop),
      undoes: {
        run: 42 as RunNumber,
        runUid: failback.runUid,
        acceptLoss: false,
        exchanges: { db: { incoming: "shop_old42", outgoing: "shop_r42" } },
        releases: {},
      },
      failback: {
        ...failback,
        left: { retired: { db: "shop_old9" }, processes: { app: { release: "/srv/dr/app", port: 8082 } } },
      },
      rebound: ["app"],
      components: liveShop,
      losses: [],
      history: [],
      now: "2026-11-22T16:00:00.000Z",
    });
    expect(plan.intent.steps.map(({ id }) => id)).toEqual([
      "hold",
      "fence:app",
      "switch:db",
      "save-lost:db:final",
      "reinstate:db",
      "start:app@away",
      "admit@away",
      "probe@away",
    ]);
  });
});

describe("the shape of a point", () => {
  const { components } = point.manifest;
  const db = components["db"];
  if (db === undefined) throw new Error("no db");

  it("is met by a point of the same components, and not by another schema", () => {
    const shape = shapeOf(components, ["db", "app"], isRelease);
    expect(shapeDifferences(shape, components)).toEqual([]);
    const other = { ...components, db: { ...db, facts: { ...db.facts, schemaHash: "other" } } };
    const { db: _gone, ...without } = components;
    expect(shapeDifferences(shapeOf(other, ["db"], isRelease), components)).toEqual([
      "db has another schema or layout than the plan was made for",
    ]);
    expect(shapeDifferences(shape, without)).toEqual(["it has nothing of db"]);
    expect(shapeDifferences(shape, { ...components, db: { ...db, driver: "mariadb" } })).toEqual([
      "db is of type mariadb, not postgres",
    ]);
  });

  it("does not hold a release to its layout", () => {
    expect(shapeOf(components, ["app"], isRelease)["app"]?.schemaHash).toBeUndefined();
  });
});
