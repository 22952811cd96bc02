import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { component, liveShop, recoveryInput, shop, shopPoint, shopPoints } from "../../../test/fixtures/shop.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { StepId } from "../../model/identifiers.ts";
import { type Plan, planSchema } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { buildGraph } from "../graph/build-graph.ts";
import { buildStepGraph } from "../run/step-graph.ts";
import type { LiveComponent, RecoveryInput } from "./planner-input.ts";
import { planDigest } from "./plan-digest.ts";
import { planRecovery } from "./plan-recovery.ts";
import { refuseIfShort } from "./refuse-if-short.ts";

const ids = (plan: Plan): readonly string[] => plan.intent.steps.map(({ id }) => id);
const needsOf = (plan: Plan, id: string): readonly string[] =>
  plan.intent.steps.find((step) => step.id === id)?.needs ?? [`${id} is not in the plan`];
const codes = (plan: Plan): readonly string[] => plan.forecast.warnings.map(({ code }) => code);
const request = (only?: readonly string[], cutover = true): RecoveryInput["request"] => ({
  at: null,
  cutover,
  ...(only === undefined ? {} : { only }),
});
const refusal = (act: () => unknown): RefloatError => {
  try {
    act();
  } catch (error) {
    if (error instanceof RefloatError) return error;
    throw error;
  }
  throw new Error("it was not refused");
};
const withLive = (name: string, parts: Partial<LiveComponent>): RecoveryInput["components"] => {
  const known = liveShop[name];
  if (known === undefined) throw new Error(`no ${name}`);
  return { ...liveShop, [name]: { ...known, ...parts } };
};
const withService = (parts: Partial<ServiceDeclaration>): ServiceDeclaration => ({ ...shop, ...parts });

describe("the steps of a recovery", () => {
  it("recovers the database alone and keeps the upgraded application", () => {
    const plan = planRecovery(recoveryInput());
    expect(plan.intent.scope).toEqual(["db"]);
    expect(plan.intent.rebound).toEqual(["app"]);
    expect(Object.keys(plan.intent.point?.components ?? {})).toEqual(["db"]);
    expect(ids(plan)).toEqual([
      "restore:db",
      "save-lost:db",
      "check:db",
      "check-invariant:invoices-exist",
      "try:app",
      "hold",
      "fence:app",
      "switch:db",
      "save-lost:db:final",
      "start:app",
      "admit",
      "probe",
    ]);
    expect(plan.intent.steps.find(({ id }) => id === "try:app")?.action).toMatchObject({ release: "kept" });
  });

  it("recovers the whole shop, moving all data at once", () => {
    const plan = planRecovery(recoveryInput({ request: request() }));
    expect(plan.intent.scope).toEqual(["db", "uploads", "app", "proxy"]);
    expect(plan.intent.rebound).toEqual([]);
    expect(plan.forecast.waves[0]).toEqual(["restore:db", "restore:uploads", "restore:app", "restore:proxy"]);
    expect(needsOf(plan, "start:app")).toEqual([
      "save-lost:db:final",
      "save-lost:uploads:final",
      "switch:app",
      "switch:proxy",
    ]);
    expect(needsOf(plan, "reload:proxy")).toEqual(["start:app"]);
    expect(needsOf(plan, "admit")).toEqual(["reload:proxy"]);
    expect(plan.intent.steps.find(({ id }) => id === "start:app")?.action).toMatchObject({ release: "restored" });
  });

  it("rolls a release back and leaves the data alone", () => {
    const plan = planRecovery(recoveryInput({ request: request(["app"]) }));
    expect(ids(plan)).toEqual([
      "restore:app",
      "check:app",
      "try:app",
      "hold",
      "fence:app",
      "switch:app",
      "start:app",
      "admit",
      "probe",
    ]);
    expect(plan.forecast.loses).toEqual([]);
    expect(plan.forecast.closer).toBeNull();
  });

  it("recovers a database and a directory with nothing around them", () => {
    const service: ServiceDeclaration = {
      name: "shop",
      owners: [],
      objectives: {},
      components: { db: component("db", "postgres"), uploads: component("uploads", "files") },
      invariants: {},
      cutover: [],
    };
    const plan = planRecovery(recoveryInput({ service, request: request() }));
    expect(ids(plan)).toEqual([
      "restore:db",
      "restore:uploads",
      "save-lost:db",
      "save-lost:uploads",
      "check:db",
      "check:uploads",
      "switch:db",
      "switch:uploads",
      "save-lost:db:final",
      "save-lost:uploads:final",
    ]);
    expect(needsOf(plan, "switch:uploads")).toEqual(["check:db", "check:uploads", "save-lost:db", "save-lost:uploads"]);
    expect(codes(plan)).toEqual(["check.none", "probe.none"]);
  });

  it("stops before the cutover when told to", () => {
    const plan = planRecovery(recoveryInput({ request: request(["db"], false) }));
    expect(plan.intent.cutover).toBe(false);
    expect(plan.intent.steps.every(({ phase }) => phase === "restore" || phase === "validate")).toBe(true);
    expect(plan.forecast.heldMs).toBe(0);
  });

  it("puts an approval between validation and cutover only when asked", () => {
    const plan = planRecovery(recoveryInput({ request: { ...request(["db"]), approve: "two people" } }));
    expect(needsOf(plan, "approve")).toEqual(["try:app"]);
    expect(needsOf(plan, "hold")).toEqual(["approve"]);
    expect(ids(planRecovery(recoveryInput()))).not.toContain("approve");
  });

  it("runs a declared migration after all that reads the instance and before the trial", () => {
    const capabilities = { ...liveShop["app"]?.capabilities, hasMigrate: true } as LiveComponent["capabilities"];
    const plan = planRecovery(recoveryInput({ components: withLive("app", { capabilities }) }));
    expect(needsOf(plan, "migrate:app")).toEqual(["check-invariant:invoices-exist", "check:db", "save-lost:db"]);
    expect(needsOf(plan, "try:app")).toEqual(["migrate:app"]);
    expect(plan.forecast.warnings[0]?.message).toBe(
      "app 2.5.0 runs on a newer schema of db than the point has; wave 3 runs its migration if its checks fail",
    );
    const released = recoveryInput({ components: withLive("app", { capabilities }), request: request(["app"]) });
    expect(ids(planRecovery(released))).not.toContain("migrate:app");
  });

  it("lets several applications migrate and be tried one after the other where they share data", () => {
    const service = withService({
      components: {
        ...shop.components,
        worker: component("worker", "process", { options: { environment: { DB: "${db.url}" } } }),
        web: component("web", "process", { options: { environment: { API: "${app.url}" } } }),
      },
    });
    const running = { ...liveShop["app"]?.capabilities, hasMigrate: true } as LiveComponent["capabilities"];
    const app = liveShop["app"];
    if (app === undefined) throw new Error("no app");
    const components = {
      ...withLive("app", { capabilities: running }),
      worker: { ...app, capabilities: running, freePort: 9002 },
      web: { ...app, freePort: 9012 },
    };
    const plan = planRecovery(recoveryInput({ service, components }));
    expect(plan.intent.rebound).toEqual(["app", "worker", "web"]);
    expect(needsOf(plan, "migrate:worker")).toEqual(["migrate:app"]);
    expect(needsOf(plan, "try:app")).toEqual(["migrate:worker"]);
    expect(needsOf(plan, "try:worker")).toEqual(["migrate:worker"]);
    expect(ids(plan)).not.toContain("try:web");
    expect(plan.forecast.warnings.map(({ message }) => message)).toContain(
      "web is not tried before the cutover: it would talk to app, which is not on the new side before the cutover",
    );
    expect(needsOf(plan, "start:web")).toEqual(["start:app"]);
    expect(needsOf(plan, "switch:db")).toEqual(["fence:app", "fence:web", "fence:worker"]);
  });

  it("cannot try without a free port and saves nothing of what is gone", () => {
    const untried = planRecovery(recoveryInput({ components: withLive("app", { freePort: null }) }));
    expect(ids(untried)).not.toContain("try:app");
    expect(untried.forecast.warnings.map(({ message }) => message)).toContain(
      "app is not tried before the cutover: it has no free port",
    );
    const gone = planRecovery(recoveryInput({ components: withLive("db", { present: false, loss: null }) }));
    expect(ids(gone).filter((id) => id.startsWith("save-lost"))).toEqual([]);
    expect(codes(gone)).toContain("live.absent");
    expect(gone.forecast.steps["switch:db"]?.what).toBe("shop_r42 > shop");
  });
});

describe("what is refused", () => {
  it("names what exists", () => {
    expect(refusal(() => planRecovery(recoveryInput({ request: request(["dbx"]) })))).toMatchObject({
      code: "component.unknown",
      hint: "there are db, uploads, app, proxy",
    });
    const service = withService({ components: { ...shop.components, cache: component("cache", "files") } });
    expect(refusal(() => planRecovery(recoveryInput({ service, request: request(["cache"]) }))).code).toBe(
      "plan.impossible",
    );
    expect(codes(planRecovery(recoveryInput({ service, request: request() })))).toContain("component.uncaptured");
    const damaged = shopPoint({ id: "dddd", at: "2026-11-22T13:00:04.000Z", missing: ["db"] });
    expect(refusal(() => planRecovery(recoveryInput({ point: damaged }))).code).toBe("point.damaged");
    expect(planRecovery(recoveryInput({ point: damaged, request: request(["uploads"]) })).intent.scope).toEqual([
      "uploads",
    ]);
  });

  it("refuses a plan that would fill a disk, and says by how much", () => {
    const full = { fileSystem: "/data", neededBytes: 1_600_000_000, freeBytes: 1_100_000_000, components: ["db"] };
    const error = refusal(() => refuseIfShort(planRecovery(recoveryInput({ space: [full] }))));
    expect(error.code).toBe("plan.no-space");
    expect(error.message).toBe("there is too little room: /data needs 1.6 GB for db and has 1.1 GB free");
    expect(error.hint).toBe("free 500 MB on /data, or recover less with --only");
    expect(() => refuseIfShort(planRecovery(recoveryInput()))).not.toThrow();
  });
});

describe("what is foretold", () => {
  it("counts the loss to the last write and keeps the rest", () => {
    const { forecast } = planRecovery(recoveryInput());
    expect(forecast.loses).toEqual([
      {
        component: "db",
        lostMs: 1_294_000,
        lastWriteAt: "2026-11-22T13:21:38.000Z",
        about: "about 312 orders",
        saved: "saved to CSV first",
      },
    ]);
    expect(forecast.keeps).toEqual(["app 2.5.0", "uploads (312 invoices become orphans)", "proxy"]);
    expect(forecast.closer).toMatchObject({ lostMs: 67_000 });
    const idle = { about: "no rows", lastWriteAt: "2026-11-22T12:59:00.000Z" };
    const quiet = planRecovery(recoveryInput({ components: withLive("db", { loss: idle }) }));
    expect(quiet.forecast.loses).toEqual([{ component: "db", lostMs: 0, about: "nothing" }]);
    expect(quiet.forecast.keeps).toEqual(["app 2.5.0", "uploads (312 invoices become orphans)", "proxy"]);
  });

  it("warns of what the point, the machine and the declaration lack", () => {
    const [bad] = shopPoints;
    if (bad === undefined) throw new Error("no point");
    const taken = planRecovery(recoveryInput({ point: bad, request: request() }));
    expect(codes(taken)).toEqual(["point.checks-failed"]);
    const loose = { ...bad, manifest: { ...bad.manifest, invariants: [] } };
    expect(codes(planRecovery(recoveryInput({ point: loose, request: request() })))).toContain("point.unproven");
    expect(taken.forecast.warnings[0]?.message).toBe("when the point was taken, products (false) failed already");
    const fingerprint = [
      { subject: "libpq5", captured: "15.18", target: null, severity: "missing" as const },
      { subject: "libssl3", captured: "3.0.15", target: "3.0.16", severity: "differs" as const },
    ];
    const { warnings } = planRecovery(recoveryInput({ components: withLive("app", { fingerprint }) })).forecast;
    expect(warnings.map(({ message }) => message)).toEqual([
      "app 2.5.0 runs on a newer schema of db than the point has; wave 3 tries it first",
      "app ran with libpq5 15.18, not found here",
      "app ran with libssl3 3.0.15 (here 3.0.16)",
    ]);
    const reverse = planRecovery(recoveryInput({ request: request(["uploads"]) }));
    expect(codes(reverse)).toEqual(["invariant.at-risk"]);
    const bare = planRecovery(recoveryInput({ service: withService({ cutover: [] }) }));
    expect(codes(bare)).toContain("traffic.unheld");
  });

  it("prefers what earlier runs took, scaled by size, and says what a forecast rests on", () => {
    const sample = (run: number, step: string, durationMs: number, sizeBytes?: number) => ({
      run,
      step,
      durationMs,
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
    });
    const history = [
      sample(39, "restore:db", 15_000, 550_000_000),
      sample(40, "restore:db", 31_000, 1_100_000_000),
      sample(41, "restore:db", 33_000, 1_100_000_000),
      sample(41, "switch:db", 200),
    ];
    const { forecast } = planRecovery(recoveryInput({ history }));
    expect(forecast.steps["restore:db"]).toMatchObject({ durationMs: 31_000, basis: "runs" });
    expect(forecast.steps["switch:db"]).toMatchObject({ durationMs: 200, basis: "runs" });
    expect(forecast.steps["check:db"]?.basis).toBe("size");
    expect(forecast.totalMs.runs).toBe(3);
    expect(forecast.totalMs.low).toBeLessThan(forecast.totalMs.likely);
    expect(forecast.totalMs.high).toBeGreaterThan(forecast.totalMs.likely);
    expect(forecast.criticalPath.slice(0, 3)).toEqual(["restore:db", "check:db", "try:app"]);
  });
});

/** Services of any shape: data components, applications on any of them and on each other, with or without all that is optional. */
const anyInput = fc
  .record({
    data: fc.array(fc.record({ writes: fc.boolean(), reload: fc.boolean() }), { minLength: 1, maxLength: 4 }),
    apps: fc.array(
      fc.record({
        on: fc.array(fc.nat(7), { maxLength: 4 }),
        migrate: fc.boolean(),
        port: fc.boolean(),
      }),
      { maxLength: 4 },
    ),
    only: fc.array(fc.nat(7), { maxLength: 3 }),
    traffic: fc.boolean(),
    probe: fc.boolean(),
    approve: fc.boolean(),
    invariant: fc.boolean(),
  })
  .map((shape): RecoveryInput => {
    const names = [...shape.data.map((_, index) => `data${index}`), ...shape.apps.map((_, index) => `app${index}`)];
    const parts = (name: string) => shopPoints[3]?.manifest.components[name.startsWith("app") ? "app" : "db"];
    const appParts = (index: number) => shape.apps[index - shape.data.length];
    const service: ServiceDeclaration = {
      name: "shop",
      owners: [],
      objectives: {},
      components: Object.fromEntries(
        names.map((name, index) => [
          name,
          component(name, name.startsWith("app") ? "process" : "postgres", {
            // Only on earlier ones: a declaration with a cycle never gets this far.
            dependsOn: [...new Set(appParts(index)?.on.map((to) => names[to % index] ?? name) ?? [])],
          }),
        ]),
      ),
      invariants:
        shape.invariant && shape.data.length > 1 ? { linked: { every: { data0: "x" }, in: { data1: "y" } } } : {},
      cutover: shape.traffic ? shop.cutover : [],
      ...(shape.probe && shop.probe !== undefined ? { probe: shop.probe } : {}),
    };
    const point = shopPoints[3];
    if (point === undefined) throw new Error("no point");
    const components = Object.fromEntries(
      names.map((name) => [name, { ...parts(name), name }]),
    ) as typeof point.manifest.components;
    return recoveryInput({
      service,
      graph: buildGraph(service),
      point: { ...point, manifest: { ...point.manifest, components } },
      newest: null,
      closer: null,
      request: {
        at: null,
        cutover: true,
        ...(shape.only.length === 0 ? {} : { only: shape.only.map((index) => names[index % names.length] ?? "data0") }),
        ...(shape.approve ? { approve: "sure?" } : {}),
      },
      components: Object.fromEntries(
        names.map((name, index): [string, LiveComponent] => [
          name,
          {
            capabilities: {
              hasWrites: shape.data[index]?.writes ?? false,
              hasRuntime: name.startsWith("app"),
              hasReload: shape.data[index]?.reload ?? false,
              hasMigrate: appParts(index)?.migrate ?? false,
              hasInvariants: name.startsWith("data"),
            },
            present: true,
            names: { stable: name, instance: `${name}_r1`, retired: `${name}_old1` },
            release: name.startsWith("app") ? { path: "/r", label: "1" } : null,
            freePort: appParts(index)?.port === true ? 9_000 + index : null,
            loss: null,
            fingerprint: [],
          },
        ]),
      ),
    });
  });

const ancestorsOf = (plan: Plan): ReadonlyMap<string, ReadonlySet<string>> => {
  const graph = buildStepGraph(plan.intent.steps);
  const found = new Map<StepId, Set<string>>();
  for (const id of graph.order) {
    const above = graph.needs.get(id) ?? [];
    found.set(id, new Set([...above, ...above.flatMap((need) => [...(found.get(need) ?? [])])]));
  }
  return found;
};

describe("every plan", () => {
  it("is a valid plan whose steps are a DAG in the order of its phases", () => {
    const stages = ["restore", "validate", "decide", "cutover", "prove"];
    fc.assert(
      fc.property(anyInput, (input) => {
        const plan = planRecovery(input);
        expect(planSchema.parse(plan)).toEqual(plan);
        const phaseOf = new Map(plan.intent.steps.map(({ id, phase }) => [id, stages.indexOf(phase)]));
        const graph = buildStepGraph(plan.intent.steps);
        for (const { needs, phase } of plan.intent.steps) {
          for (const need of needs) expect(phaseOf.get(need)).toBeLessThanOrEqual(stages.indexOf(phase));
        }
        expect(graph.order).toHaveLength(plan.intent.steps.length);
        expect(plan.forecast.waves.flat().toSorted()).toEqual(ids(plan).toSorted());
        const ancestors = ancestorsOf(plan);
        for (const { id, needs } of plan.intent.steps) {
          const implied = new Set(needs.flatMap((need) => [...(ancestors.get(need) ?? [])]));
          expect(
            needs.filter((need) => implied.has(need)),
            `${id} has needs that say nothing`,
          ).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("fences before it switches, switches before it starts, and lets traffic in last", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const plan = planRecovery(input);
        const ancestors = ancestorsOf(plan);
        const of = (kind: string) => plan.intent.steps.filter(({ action }) => action.kind === kind).map(({ id }) => id);
        const after = (later: readonly string[], earlier: readonly string[]) => {
          for (const id of later) {
            for (const need of earlier) expect(ancestors.get(id)?.has(need), `${id} after ${need}`).toBe(true);
          }
        };
        const validated = plan.intent.steps.filter(({ phase }) => phase === "restore" || phase === "validate");
        const early = validated.map(({ id }) => id);
        after([...of("approve"), ...of("hold"), ...of("fence"), ...of("switch")], early);
        after(of("fence"), [...of("approve"), ...of("hold")]);
        after(of("switch"), of("fence"));
        after(of("start"), of("switch"));
        const others = plan.intent.steps.filter(({ phase, action }) => phase !== "prove" && action.kind !== "admit");
        after(
          of("admit"),
          others.map(({ id }) => id),
        );
        after(
          of("probe"),
          ids(plan).filter((id) => id !== "probe"),
        );
        expect(of("admit")).toHaveLength(input.service.cutover.length);
      }),
      { numRuns: 150 },
    );
  });

  it("respects hard edges wherever something starts, and restarts exactly what depends on what is recovered", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const plan = planRecovery(input);
        const ancestors = ancestorsOf(plan);
        const has = new Set(ids(plan));
        for (const { from, to, kind } of input.graph.edges) {
          if (kind !== "hard") continue;
          for (const [later, earlier] of [
            [`start:${from}`, `start:${to}`],
            [`start:${from}`, `switch:${to}`],
            [`start:${from}`, `save-lost:${to}:final`],
            [`try:${from}`, `check:${to}`],
            [`try:${from}`, `save-lost:${to}`],
            [`try:${from}`, `migrate:${from}`],
            [`migrate:${from}`, `check:${to}`],
          ] as const) {
            const both = has.has(later) && has.has(earlier);
            expect(!both || ancestors.get(later)?.has(earlier), `${later} after ${earlier}`).toBe(true);
          }
        }
        const starts = ids(plan)
          .filter((id) => id.startsWith("start:"))
          .toSorted();
        const runs = plan.intent.scope.filter((name) => name.startsWith("app"));
        expect(starts).toEqual([...runs, ...plan.intent.rebound].map((name) => `start:${name}`).toSorted());
        expect(ids(plan).filter((id) => id.startsWith("fence:"))).toHaveLength(starts.length);
        expect(plan.intent.scope.some((name) => plan.intent.rebound.includes(name))).toBe(false);
      }),
      { numRuns: 150 },
    );
  });
});

describe("the digest", () => {
  it("names the intent: it does not move with the clock, sizes, history or what is expected", () => {
    const plan = planRecovery(recoveryInput());
    const other = planRecovery(
      recoveryInput({
        now: "2026-11-23T01:00:00.000Z",
        history: [{ run: 1, step: "restore:db", durationMs: 1 }],
        space: [],
        orphans: {},
        closer: null,
        newest: null,
        components: withLive("db", {
          loss: null,
          names: { stable: "shop", instance: "shop_r43", retired: "shop_old43" },
        }),
      }),
    );
    expect(other.digest).toBe(plan.digest);
    expect(other.forecast).not.toEqual(plan.forecast);
    expect(planDigest(JSON.parse(JSON.stringify(plan.intent)))).toBe(plan.digest);
    expect(plan.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("changes with all that would be done otherwise", () => {
    const digests = [
      recoveryInput(),
      recoveryInput({ request: request(["db"], false) }),
      recoveryInput({ request: request(["uploads"]) }),
      recoveryInput({ request: { ...request(["db"]), approve: "sure?" } }),
      recoveryInput({ point: shopPoints[2] ?? recoveryInput().point }),
      recoveryInput({ service: withService({ cutover: [] }) }),
      recoveryInput({ components: withLive("app", { freePort: null }) }),
    ].map((input) => planRecovery(input).digest);
    expect(new Set(digests).size).toBe(digests.length);
  });

  it("is the same whatever the order of what was looked at", () => {
    const reversed = Object.fromEntries(Object.entries(liveShop).toReversed());
    expect(planRecovery(recoveryInput({ components: reversed })).digest).toBe(planRecovery(recoveryInput()).digest);
  });
});
