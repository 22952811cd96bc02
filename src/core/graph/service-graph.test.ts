import { expect, test } from "vitest";
import { stringify } from "yaml";
import { parseDeclaration } from "../declaration/parse-declaration.ts";
import { wordRegistry } from "../declaration/test-registry.ts";

const accounts = { type: "postgres", url: "postgres:///accounts" };
const db = { type: "postgres", url: "postgres:///shop" };
const address = "${identity.accounts.address}";

/** Every section in which a reference is read, with a reference to another service. */
const sections = {
  components: { db: { ...db, checks: [{ tcp: address }] } },
  cutover: [{ command: address }],
  manual: [{ name: "look", do: address }],
  probe: `http://${address}/`,
  provision: { site: { type: "command", apply: "true", inspect: "true", destroy: address } },
  fence: [{ name: "old primary", command: `off ${address}` }],
  quiesce: { freeze: `pause ${address}`, thaw: "true" },
  invariants: { known: { every: { db: { http: `http://${address}/` } }, in: { db: "select 1" } } },
};

const parse = (own: object, identity: object = {}) =>
  parseDeclaration(
    stringify({
      vault: { url: "/backup", password: "${env:PASSWORD}" },
      services: { identity: { components: { accounts }, ...identity }, shop: { components: { db }, ...own } },
    }),
    "refloat.yaml",
    wordRegistry,
  );

test.each(Object.entries(sections))(
  "a service that is named in %s is needed, and has to be there first",
  (key, value) => {
    const { declaration, diagnostics } = parse({ [key]: value });
    expect(diagnostics).toEqual([]);
    expect(Object.keys(declaration?.services["shop"]?.needs ?? {})).toEqual(["identity"]);
  },
);

test("services that wait for each other are refused wherever the reference stands, with its place", () => {
  const { declaration, diagnostics } = parse(
    { fence: sections.fence },
    { fence: [{ name: "old primary", command: "off ${shop.db.address}" }] },
  );
  expect(declaration).toBeUndefined();
  expect(diagnostics).toMatchObject([
    {
      code: "config.cycle",
      trail: "identity > shop (12:22, by ${shop.db.address}) > identity (20:22, by ${identity.accounts.address})",
    },
  ]);
});
