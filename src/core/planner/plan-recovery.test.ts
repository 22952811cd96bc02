import { describe, expect, it } from "vitest";
import { component, liveShop, recoveryInput, shop, shopPoint, shopPoints } from "../../../test/fixtures/shop.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { RunNumber } from "../../model/identifiers.ts";
import type { Plan } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { stepLimits } from "../run/step-limits.ts";
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

it("tells of a rehearsal that holds a port of what is restored, and of no other", () => {
  const standing = [
    { run: 11 as RunNumber, component: "db", name: "shop_r11", ports: "6390" },
    { run: 12 as RunNumber, component: "uploads", name: "uploads_r12", ports: "1" },
  ];
  const { warnings } = planRecovery(
    recoveryInput({ request: { at: null, only: ["db"], cutover: true }, standing }),
  ).forecast;
  expect(warnings.filter(({ code }) => code === "ports.held")).toEqual([
    {
      code: "ports.held",
      message:
        "db as run 11 has restored it, shop_r11, stands beside and holds what it uses of the ports 6390: if too few are left, this restore fails; refloat cancel 11 frees them",
    },
  ]);
});

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

  it("says when nobody can see whether there is room", () => {
    expect(codes(planRecovery(recoveryInput()))).not.toContain("space.unseen");
    const plan = planRecovery(recoveryInput({ components: withLive("db", { roomUnseen: true }) }));
    expect(codes(plan)).toContain("space.unseen");
  });

  it("names who has a component open and is not stopped by the cutover", () => {
    const known = liveShop["app"];
    if (known === undefined) throw new Error("no app");
    const heldBy = [
      { pid: 11, relatives: [10, 1], words: "11 (worker of the application)" },
      { pid: 20, relatives: [1], words: "20 (sqlite3 shop.db)" },
    ];
    const components = { ...withLive("db", { heldBy }), app: { ...known, pid: 10 } };
    const warned = planRecovery(recoveryInput({ components })).forecast.warnings.find(
      ({ code }) => code === "live.held",
    );
    expect(warned?.message).toBe(
      "db is open in 20 (sqlite3 shop.db), which this recovery does not stop: stop it before the cutover",
    );
    const idle = { ...withLive("db", { heldBy: heldBy.slice(0, 1) }), app: { ...known, pid: 10 } };
    expect(codes(planRecovery(recoveryInput({ components: idle })))).not.toContain("live.held");
  });

  it("leaves out what would ask a kept component that cannot be looked at, and says so", () => {
    const known = liveShop["db"];
    if (known === undefined) throw new Error("no db");
    const capabilities = { ...known.capabilities, hasInvariants: false };
    const components = withLive("db", { capabilities, unseen: "the server does not answer" });
    const plan = planRecovery(recoveryInput({ request: request(["uploads"]), components }));
    expect(ids(plan)).not.toContain("check-invariant:invoices-exist");
    expect(codes(plan)).toContain("component.unseen");
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

  it("asks what the new side uses beside the probe, once, and not what it has just started", () => {
    const { app, proxy } = shop.components;
    if (app === undefined || proxy === undefined) throw new Error("the shop has lost its components");
    const components = {
      ...shop.components,
      app: { ...app, uses: ["uploads", "proxy"] },
      proxy: { ...proxy, uses: ["app", "uploads"] },
    };
    const service = { ...shop, components };
    const plan = planRecovery(recoveryInput({ service, request: request(["app", "proxy"]) }));
    expect(ids(plan).filter((id) => id.startsWith("check-used"))).toEqual(["check-used:uploads", "check-used:proxy"]);
    expect(needsOf(plan, "check-used:uploads")).toEqual(needsOf(plan, "probe"));
    expect(plan.forecast.steps["check-used:uploads"]).toMatchObject({
      title: "ask uploads",
      what: "used by app and proxy",
    });
    const rehearsal = recoveryInput({ service, request: { ...request(["app"]), cutover: false } });
    expect(ids(planRecovery(rehearsal)).some((id) => id.startsWith("check-used"))).toBe(false);
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

  it("fences all old sides off at once, in no place of another step, before traffic is held", () => {
    const fence = [
      { name: "old primary", command: "off db-1" },
      { name: "old replica", command: "off db-2" },
    ];
    const service = withService({ fence, limits: { host: 1 } });
    const plan = planRecovery(recoveryInput({ service }));
    const fences = ["isolate:old-primary", "isolate:old-replica"];
    expect(needsOf(plan, "isolate:old-replica")).toEqual(needsOf(plan, "isolate:old-primary"));
    expect(needsOf(plan, "hold")).toEqual(fences);
    // Of one that waits for a person the machine's only place is not taken.
    const { of } = stepLimits(plan.intent);
    const limitsOf = (...ids: readonly string[]) => plan.intent.steps.filter(({ id }) => ids.includes(id)).map(of);
    expect(limitsOf(...fences)).toEqual([[], []]);
    expect(limitsOf("switch:db")).toEqual([[0]]);
  });

  it("leaves a fence that cannot be used as declared to a person, and says so before", () => {
    const fence = [
      { name: "old primary", command: "off db-1", proof: "asks db-1", release: "on db-1", expect: "no light" },
    ];
    const unfenced = { "old primary": { why: "/etc/shop/token cannot be read", isProven: false } };
    const plan = planRecovery(recoveryInput({ service: withService({ fence }), unfenced }));
    const step = plan.intent.steps.find(({ id }) => id === "isolate:old-primary");
    expect(step?.action).toEqual({
      kind: "isolate",
      name: "old primary",
      expect: "no light",
      unusable: "/etc/shop/token cannot be read",
    });
    expect(plan.forecast.steps["isolate:old-primary"]?.what).toBe(
      "the word of a person who has seen: no light; not as declared: /etc/shop/token cannot be read",
    );
    expect(codes(plan)).toContain("fence.by-word");
    const proven = { "old primary": { ...unfenced["old primary"], isProven: true } };
    const kept = planRecovery(recoveryInput({ service: withService({ fence }), unfenced: proven }));
    expect(kept.intent.steps.find(({ id }) => id === "isolate:old-primary")?.action).toEqual({
      ...step?.action,
      proof: "asks db-1",
    });
    expect(kept.forecast.steps["isolate:old-primary"]?.what).toContain(
      "shown by: asks db-1; else the word of a person",
    );
    expect(codes(kept)).toContain("fence.by-word");
    expect(codes(planRecovery(recoveryInput({ service: withService({ fence }) })))).not.toContain("fence.by-word");
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
    // Plans that follow each other need their room together: each keeps the side that it puts away.
    const half = planRecovery(recoveryInput({ space: [{ ...full, neededBytes: 800_000_000 }] }));
    expect(() => refuseIfShort(half)).not.toThrow();
    expect(refusal(() => refuseIfShort(half, half)).message).toBe(
      "there is too little room: /data needs 1.6 GB for shop.db, shop.db and has 1.1 GB free",
    );
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
    const unwritten = planRecovery(recoveryInput({ orphans: { "invoices-exist": null } }));
    expect(unwritten.forecast.keeps).toEqual(["app 2.5.0", "uploads", "proxy"]);
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
    const messages = (mode: "quiesced" | "ordered", invariants: typeof bad.manifest.invariants) => {
      const consistency = { mode, windowMs: 1, proven: false };
      const point = { ...bad, manifest: { ...bad.manifest, checks: [], invariants, consistency } };
      return planRecovery(recoveryInput({ point, request: request() })).forecast.warnings.map(({ message }) => message);
    };
    expect(messages("quiesced", [])[0]).toMatch(/^only the freeze: line says that .* belong to one moment/);
    expect(messages("ordered", [])[0]).toMatch(/^nothing proves that .*: taken ordered/);
    expect(messages("quiesced", bad.manifest.invariants)).toEqual([]);
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
    expect(forecast.criticalPath.slice(0, 3)).toEqual(["restore:db", "save-lost:db", "try:app"]);
  });

  it("reckons with a look at every row of the old side while traffic is held, and not with the files", () => {
    const { forecast } = planRecovery(recoveryInput({ request: request(["db", "uploads"]) }));
    // 1.1 GB: what the point has of the database.
    expect(forecast.steps["save-lost:db:final"]).toMatchObject({ durationMs: 8_833, basis: "size" });
    expect(forecast.heldMs).toBeGreaterThan(8_833);
    expect(forecast.steps["save-lost:uploads:final"]).toMatchObject({ durationMs: 1_500, basis: "default" });
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

  it("changes with what is provisioned: found, or made", () => {
    const site = { name: "site", type: "command", checks: [], options: {} };
    const [found, made] = (["done", "absent"] as const).map((presence) =>
      planRecovery(
        recoveryInput({
          service: withService({ provision: { site } }),
          provisions: { site: { presence, what: "site", detail: [] } },
        }),
      ),
    );
    expect(found?.digest).not.toBe(made?.digest);
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

describe("invariants that an application answers", () => {
  const asked = (http: string) => ({ db: { kind: "http", options: { http }, timeoutMs: 1_000 } });
  const answered = withService({
    invariants: { "orders-listed": { every: asked("${app.url}/orders"), in: { uploads: "invoices/*.pdf" } } },
  });
  const action = (plan: Plan, id: string) => plan.intent.steps.find((step) => step.id === id)?.action;

  it("are asked in its trial on the new side, once all that they compare is restored", () => {
    const plan = planRecovery(recoveryInput({ service: answered, request: request(["db", "uploads"]) }));
    expect(action(plan, "try:app")).toMatchObject({ kind: "try", invariants: ["orders-listed"] });
    expect(needsOf(plan, "try:app")).toEqual(expect.arrayContaining(["check:db", "check:uploads"]));
    expect(ids(plan)).not.toContain("check-invariant:orders-listed");
    expect(action(plan, "start:app")).not.toHaveProperty("invariants");
    expect(plan.forecast.steps["try:app"]?.what).toContain("invariant orders-listed");
    expect(codes(plan)).not.toContain("invariant.unasked");
  });

  it("are asked at its private door where it cannot be tried, and named where it never starts", () => {
    const input = { service: answered, components: withLive("app", { freePort: null }) };
    const plan = planRecovery(recoveryInput({ ...input, request: request(["db", "uploads"]) }));
    expect(action(plan, "start:app")).toMatchObject({ invariants: ["orders-listed"] });
    const beside = planRecovery(recoveryInput({ ...input, request: request(["db", "uploads"], false) }));
    expect(codes(beside)).toContain("invariant.unasked");
  });

  it("are asked of a server that is no part of the recovery as they are of data", () => {
    const outside = withService({
      invariants: { "orders-listed": { every: asked("http://warehouse/orders"), in: { uploads: "invoices/*.pdf" } } },
    });
    const plan = planRecovery(recoveryInput({ service: outside, request: request(["db", "uploads"]) }));
    expect(ids(plan)).toContain("check-invariant:orders-listed");
    expect(action(plan, "try:app")).not.toHaveProperty("invariants");
  });
});
