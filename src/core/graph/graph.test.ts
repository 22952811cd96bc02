import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ComponentDeclaration, ServiceDeclaration } from "../../model/declaration.ts";
import type { Edge, Graph } from "../../model/graph.ts";
import { buildGraph, declaredEdges } from "./build-graph.ts";
import { findCycles } from "./find-cycle.ts";
import { captureOrder, recoveryOrder, waves } from "./order.ts";
import { dependenciesOf, dependentsOf } from "./reach.ts";

const component = (name: string, rest: Partial<ComponentDeclaration> = {}): ComponentDeclaration => ({
  name,
  type: "process",
  dependsOn: [],
  uses: [],
  checks: [],
  options: {},
  ...rest,
});

const shop: Pick<ServiceDeclaration, "components" | "invariants"> = {
  components: {
    proxy: component("proxy", { type: "files", dependsOn: ["app"] }),
    uploads: component("uploads", { type: "files" }),
    db: component("db", { type: "postgres", uses: ["app"] }),
    app: component("app", {
      options: {
        environment: { PORT: "${self.port}", DATABASE_URL: "${db.url}", ALSO: "${db.url}", UPLOADS: "${uploads.path}" },
      },
      checks: [{ kind: "http", options: { http: "${self.url}/x?db=${db.database}" }, timeoutMs: 1 }],
    }),
  },
  invariants: {
    "invoices-exist": { every: { db: "select invoice from orders" }, in: { uploads: "invoices/*.pdf" } },
  },
};

describe("the graph of the shop", () => {
  const graph = buildGraph(shop);

  test("has an edge for each way a dependency was declared", () => {
    expect(graph.edges).toEqual([
      { from: "proxy", to: "app", kind: "hard", via: "dependsOn" },
      { from: "db", to: "app", kind: "uses", via: "uses" },
      { from: "app", to: "db", kind: "hard", via: "${db.url}" },
      { from: "app", to: "uploads", kind: "hard", via: "${uploads.path}" },
      { from: "app", to: "db", kind: "hard", via: "${db.database}" },
      { from: "db", to: "uploads", kind: "data", via: "invariants.invoices-exist" },
    ]);
  });

  test("keeps the places of the file", () => {
    expect(declaredEdges(shop).map(({ path }) => path.join("."))).toEqual([
      "components.proxy.dependsOn.0",
      "components.db.uses.0",
      "components.app.environment.DATABASE_URL",
      "components.app.environment.ALSO",
      "components.app.environment.UPLOADS",
      "components.app.checks.0.http",
      "invariants.invoices-exist",
    ]);
  });

  test("is recovered from the data up, in waves", () => {
    expect(waves(graph)).toEqual([["uploads", "db"], ["app"], ["proxy"]]);
    expect(recoveryOrder(graph)).toEqual(["uploads", "db", "app", "proxy"]);
  });

  test("is captured referrer first", () => {
    expect(captureOrder(graph)).toEqual(["db", "uploads", "app", "proxy"]);
  });

  test("knows who is hurt by whom", () => {
    expect(dependentsOf(graph, ["db"])).toEqual(["proxy", "app"]);
    expect(dependentsOf(graph, ["db", "app"])).toEqual(["proxy"]);
    expect(dependenciesOf(graph, ["proxy"])).toEqual(["uploads", "db", "app"]);
    expect(dependentsOf(graph, ["proxy"])).toEqual([]);
  });

  test("leaves out edges to what does not exist", () => {
    expect(
      buildGraph({ components: { app: component("app", { dependsOn: ["toString", "gone"] }) }, invariants: {} }).edges,
    ).toEqual([]);
  });
});

const edge = (from: string, to: string, kind: Edge["kind"] = "hard"): Edge => ({ from, to, kind, via: "test" });

describe("findCycles", () => {
  const ways = (edges: readonly Edge[]) =>
    findCycles(edges).map((cycle) => [...cycle.map(({ from }) => from), cycle.at(-1)?.to].join(" > "));

  test("tells each group of components that wait for each other by its shortest cycle", () => {
    expect(
      ways([
        edge("x", "app"),
        edge("app", "worker"),
        edge("worker", "queue"),
        edge("queue", "app"),
        edge("m", "n"),
        edge("n", "m"),
      ]),
    ).toEqual(["app > worker > queue > app", "m > n > m"]);
    expect(ways([edge("a", "b"), edge("b", "c"), edge("c", "a"), edge("b", "a")])).toEqual(["a > b > a"]);
    expect(ways([edge("a", "a")])).toEqual(["a > a"]);
    expect(ways([edge("a", "b"), edge("a", "c"), edge("b", "c")])).toEqual([]);
  });

  test("finds the one circle of many thousand components at once", () => {
    const chain = Array.from({ length: 20_000 }, (_none, index) => edge(`c${index}`, `c${index + 1}`));
    expect(ways(chain)).toEqual([]);
    expect(ways([...chain, edge("c20000", "c19998")])).toEqual(["c19998 > c19999 > c20000 > c19998"]);
  });

  test("finds one exactly when no order exists", () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const hard = graph.edges.filter(({ kind }) => kind === "hard");
        const cycles = findCycles(hard);
        let ordered = true;
        try {
          waves({ ...graph, edges: hard.filter(({ from, to }) => from !== to) });
        } catch {
          ordered = false;
        }
        const loops = hard.some(({ from, to }) => from === to);
        expect(cycles.length > 0).toBe(!ordered || loops);
        for (const cycle of cycles) {
          expect(cycle.at(-1)?.to).toBe(cycle[0]?.from);
          cycle.slice(1).forEach((step, index) => expect(step.from).toBe(cycle[index]?.to));
        }
      }),
    );
  });
});

const names = ["a", "b", "c", "d", "e", "f", "g"];
const pairs = fc.tuple(fc.nat(names.length - 1), fc.nat(names.length - 1));
const name = (index: number): string => names[index] ?? "";
const nodes = fc
  .shuffledSubarray(names, { minLength: names.length })
  .map((list) => list.map((n) => ({ name: n, type: "t" })));
const kinds = fc.constantFrom("hard", "uses", "data") satisfies fc.Arbitrary<Edge["kind"]>;

const anyGraph: fc.Arbitrary<Graph> = fc.record({
  nodes,
  edges: fc.array(fc.tuple(pairs, kinds).map(([[from, to], kind]) => edge(name(from), name(to), kind))),
});

/** Hard edges only ever point to an earlier letter; data edges run freely. */
const soundGraph: fc.Arbitrary<Graph> = anyGraph.map((graph) => ({
  ...graph,
  edges: graph.edges.filter(({ from, to, kind }) => kind !== "hard" || to < from),
}));

describe("orders of any sound graph", () => {
  test("waves hold every component once, after all that it needs, and as early as that allows", () => {
    fc.assert(
      fc.property(soundGraph, (graph) => {
        const found = waves(graph);
        expect(found.flat().sort()).toEqual([...names].sort());
        const waveOf = (n: string): number => found.findIndex((wave) => wave.includes(n));
        for (const n of names) {
          const needs = graph.edges
            .filter(({ from, kind }) => from === n && kind === "hard")
            .map(({ to }) => waveOf(to));
          expect(waveOf(n)).toBe(Math.max(-1, ...needs) + 1);
        }
      }),
    );
  });

  test("capture reads referrers first wherever the data references allow an order", () => {
    fc.assert(
      fc.property(soundGraph, (graph) => {
        const order = captureOrder(graph);
        expect([...order].sort()).toEqual([...names].sort());
        const data = graph.edges.filter(({ kind, from, to }) => kind === "data" && from !== to);
        const broken = data.filter(({ from, to }) => order.indexOf(from) > order.indexOf(to));
        expect(findCycles(data).length > 0 || broken.length === 0).toBe(true);
        expect(captureOrder({ ...graph, edges: graph.edges.filter(({ kind }) => kind !== "data") })).toEqual(
          recoveryOrder(graph),
        );
      }),
    );
  });

  test("capture takes the first in recovery that nobody left refers to, and the first of all where they run in a circle", () => {
    fc.assert(
      fc.property(soundGraph, (graph) => {
        const data = graph.edges.filter(({ kind, from, to }) => kind === "data" && from !== to);
        const left = [...recoveryOrder(graph)];
        for (const name of captureOrder(graph)) {
          const free = left.find((one) => !data.some(({ from, to }) => to === one && left.includes(from)));
          expect(name).toBe(free ?? left[0]);
          left.splice(left.indexOf(name), 1);
        }
      }),
    );
  });

  test("dependents and dependencies are the two sides of one relation", () => {
    fc.assert(
      fc.property(soundGraph, fc.constantFrom(...names), fc.constantFrom(...names), (graph, one, other) => {
        fc.pre(one !== other);
        expect(dependentsOf(graph, [one]).includes(other)).toBe(dependenciesOf(graph, [other]).includes(one));
        const order = recoveryOrder(graph);
        for (const dependent of dependentsOf(graph, [one]))
          expect(order.indexOf(dependent)).toBeGreaterThan(order.indexOf(one));
      }),
    );
  });
});

test("waves refuse a cycle as a bug of the caller", () => {
  expect(() =>
    waves({
      nodes: [
        { name: "a", type: "t" },
        { name: "b", type: "t" },
      ],
      edges: [edge("a", "b"), edge("b", "a")],
    }),
  ).toThrow("components wait for each other: a, b");
});
