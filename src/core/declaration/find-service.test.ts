import { expect, test } from "vitest";
import type { Declaration, ServiceDeclaration } from "../../model/declaration.ts";
import { findService, requireComponents } from "./find-service.ts";

const shop: ServiceDeclaration = {
  name: "shop",
  owners: [],
  objectives: {},
  components: { db: { name: "db", type: "postgres", dependsOn: [], uses: [], checks: [], options: {} } },
  invariants: {},
  cutover: [],
};
const declaration: Declaration = { vault: { url: "/v", password: "${env:P}" }, services: { shop } };

test("a declared service is found; a wrong name is answered with what there is", () => {
  expect(findService(declaration, "shop")).toBe(shop);
  expect(() => findService(declaration, "shpo")).toThrow(
    expect.objectContaining({ code: "service.unknown", hint: 'did you mean "shop"?', nextCommand: "refloat status" }),
  );
  expect(() => findService(declaration, "constructor")).toThrow(
    expect.objectContaining({ code: "service.unknown", hint: "there are shop" }),
  );
});

test("components are required by name", () => {
  expect(() => requireComponents(shop, ["db"])).not.toThrow();
  expect(() => requireComponents(shop, ["db", "web"])).toThrow(
    expect.objectContaining({ code: "component.unknown", hint: "there are db" }),
  );
});
