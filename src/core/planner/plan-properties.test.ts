import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { component, recoveryInput, shop, shopPoints } from "../../../test/fixtures/shop.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { StepId } from "../../model/identifiers.ts";
import { type Plan, planSchema } from "../../model/plan.ts";
import { buildGraph } from "../graph/build-graph.ts";
import { buildStepGraph } from "../run/step-graph.ts";
import type { LiveComponent, RecoveryInput } from "./planner-input.ts";
import { planRecovery } from "./plan-recovery.ts";

const ids = (plan: Plan): readonly string[] => plan.intent.steps.map(({ id }) => id);

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
