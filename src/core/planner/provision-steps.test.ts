import { expect, test } from "vitest";
import { component, shop } from "../../../test/fixtures/shop.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { buildGraph } from "../graph/build-graph.ts";
import { componentOrder } from "./component-order.ts";
import { addProvisions, neededProvisions } from "./provision-steps.ts";
import { createStepDraft } from "./step-draft.ts";

const address = "${site.address}";
const entry = (name: string, checks: ServiceDeclaration["components"][string]["checks"] = []) => ({
  name,
  type: "command",
  checks,
  options: {},
});
const asked = { kind: "http", options: { http: `http://${address}/` }, timeoutMs: 1_000 };

/** A shop whose application needs the site, and of which the uploads alone are recovered, which do not. */
const needed = (more: Partial<ServiceDeclaration>): readonly string[] => {
  const components = { ...shop.components, worker: component("worker", "process", { options: { at: address } }) };
  const service = { ...shop, components, provision: { site: entry("site") }, ...more };
  return neededProvisions(service, componentOrder(buildGraph(service)), ["uploads"]);
};

test.each<readonly [string, Partial<ServiceDeclaration>, readonly string[]]>([
  ["nothing that is recovered", {}, []],
  ["fence", { fence: [{ name: "old primary", command: `off ${address}` }] }, ["site"]],
  ["quiesce", { quiesce: { freeze: `pause ${address}`, thaw: "true" } }, ["site"]],
  [
    "an invariant of what is recovered",
    { invariants: { linked: { every: { db: asked }, in: { uploads: "*" } } } },
    ["site"],
  ],
  ["an invariant of what is kept", { invariants: { linked: { every: { db: asked }, in: { app: "*" } } } }, []],
  [
    "a check of another entry",
    {
      provision: { site: entry("site"), web: entry("web", [{ kind: "tcp", options: { tcp: address }, timeoutMs: 1 }]) },
    },
    ["site", "web"],
  ],
])("what is named by %s is provisioned where it is asked", (_by, more, names) => {
  expect(needed(more)).toEqual(names);
});

test("what no text names is there before any component, and what one names before that one", () => {
  const components = { ...shop.components, worker: component("worker", "process", { options: { at: address } }) };
  const provision = { site: entry("site"), packages: entry("packages") };
  const service = { ...shop, components, provision };
  const order = componentOrder(buildGraph(service));
  const names = neededProvisions(service, order, ["uploads", "worker"]);
  expect(names).toEqual(["site", "packages"]);
  const { before } = addProvisions(createStepDraft(), { service, order, names, seen: {} }, []);
  expect(before("uploads")).toEqual(["provision:packages"]);
  expect(before("worker")).toEqual(["provision:packages", "provision:site"]);
});
