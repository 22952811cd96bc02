import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { buildDeclarationSchema } from "./contract/declaration-schema.ts";
import { buildPluginSchema, pluginSchemaId } from "./contract/plugin-schema.ts";
import { diagnosticText } from "./core/declaration/diagnostic-text.ts";
import { parseDeclaration } from "./core/declaration/parse-declaration.ts";
import { keysAt, shapeOf } from "./core/declaration/schema-shape.ts";
import { createDriverRegistry, driverRegistry } from "./driver-registry.ts";
import { filesBundle } from "./drivers/files/files-bundle.ts";

const root = join(import.meta.dirname, "..");
const fixtures = join(root, "test/fixtures/declarations");

const good: readonly (readonly [string, string])[] = [
  ...["notes.yaml", "shop.yaml", "site.yaml"].map((name) => [name, join(fixtures, name)] as const),
  ["the shop of the demo", join(root, "examples/shop/refloat.yaml")],
];

describe("the drivers of this build", () => {
  test("claim each word once", () => {
    expect([...driverRegistry.components.keys()].sort()).toEqual([
      "command",
      "etcd",
      "files",
      "git",
      "mariadb",
      "mariadb-server",
      "postgres",
      "postgres-cluster",
      "process",
      "redis",
      "sqlite",
      "terraform",
    ]);
    expect([...driverRegistry.checks.keys()].sort()).toEqual(["command", "http", "redis", "sql", "tcp", "terraform"]);
    expect([...driverRegistry.traffic.keys()].sort()).toEqual([
      "address",
      "command",
      "dns",
      "haproxy",
      "nginx",
      "pgbouncer",
    ]);
    expect(() => createDriverRegistry([filesBundle, filesBundle])).toThrow(
      'two drivers claim the component type "files"',
    );
  });

  test("say of each key what it is for", () => {
    const drivers = [
      ...driverRegistry.components.values(),
      ...driverRegistry.checks.values(),
      ...driverRegistry.traffic.values(),
    ];
    for (const { options } of drivers) {
      const { properties = {}, additionalProperties } = shapeOf(options);
      expect(additionalProperties).toBe(false);
      for (const [key, shape] of Object.entries(properties))
        expect([key, typeof shape === "object" && shape.description]).toEqual([key, expect.any(String)]);
    }
  });

  test("provision in ways that are named once", () => {
    expect([...driverRegistry.provisions.keys()].sort()).toEqual([
      "command",
      "packages",
      "podman",
      "process",
      "qemu",
      "sandbox",
      "terraform",
    ]);
    for (const { options } of driverRegistry.provisions.values())
      for (const key of ["type", "temporary", "checks"]) expect(keysAt(shapeOf(options), [])).not.toContain(key);
  });

  test("take no key that all components have", () => {
    for (const { options } of driverRegistry.components.values())
      for (const key of ["type", "dependsOn", "uses", "checks"])
        expect(keysAt(shapeOf(options), [])).not.toContain(key);
  });
});

describe.each(good)("%s", (_name, path) => {
  const text = readFileSync(path, "utf8");

  test("is understood", () => {
    const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", driverRegistry);
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    expect(errors.map(diagnosticText).join("\n")).toBe("");
    expect(declaration).toBeDefined();
  });

  test("holds options that are the same when they are read again", () => {
    const { declaration } = parseDeclaration(text, "refloat.yaml", driverRegistry);
    for (const service of Object.values(declaration?.services ?? {}))
      for (const { type, options } of Object.values(service.components))
        expect(driverRegistry.components.get(type)?.options.parse(JSON.parse(JSON.stringify(options)))).toEqual(
          options,
        );
  });
});

describe("the published schema", () => {
  const path = join(root, "schema/refloat.schema.json");
  const { components, checks, sets, traffic, provisions } = driverRegistry;
  const built = buildDeclarationSchema({
    components: components.values(),
    checks: checks.values(),
    sets: sets.values(),
    traffic: traffic.values(),
    provisions: provisions.values(),
  });
  const accepts: ValidateFunction = new Ajv({
    allErrors: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    keywords: ["enumDescriptions"],
  }).compile(built);
  const mistakesIn = (text: string): readonly string[] => {
    accepts(parse(text));
    return (accepts.errors ?? []).map(({ instancePath, message, params }) =>
      [instancePath, message, params["additionalProperty"]].filter(Boolean).join(" "),
    );
  };

  test("is what the sources say; node scripts/build-schema.ts writes it anew", () => {
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(built);
  });

  test.each(good)("accepts %s", (_name, file) => {
    expect(mistakesIn(readFileSync(file, "utf8"))).toEqual([]);
  });

  test.each(["checks", "empty-parts", "list", "no-vault", "values", "words"])(
    "refuses %s, as the parser does",
    (name) => {
      expect(mistakesIn(readFileSync(join(fixtures, "broken", `${name}.yaml`), "utf8"))).not.toEqual([]);
    },
  );

  test("tells a misspelt key of a component by the component's type", () => {
    const shop = readFileSync(join(fixtures, "shop.yaml"), "utf8");
    expect(mistakesIn(shop.replace("environment:", "enviroment:"))).toContain(
      "/services/shop/components/app must NOT have additional properties enviroment",
    );
    expect(mistakesIn(shop.replace("- sql:", "- sqll:"))).toContain(
      "/services/shop/components/db/checks/0 must have required property 'sql'",
    );
  });
});

describe("the published schema of plugins", () => {
  const built = buildPluginSchema();

  test("is what the sources say; node scripts/build-schema.ts writes it anew", () => {
    const text = readFileSync(join(root, "schema/plugin.schema.json"), "utf8");
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(built)));
  });

  test("accepts the lines that docs/plugins.md shows, and no others", () => {
    const ajv = new Ajv({ allErrors: true, strict: false }).addSchema(built);
    const accepts = (kind: string, line: string): boolean =>
      ajv.validate(`${pluginSchemaId}#/definitions/${kind}`, JSON.parse(line));
    const shown = readFileSync(join(root, "docs/plugins.md"), "utf8").split("\n");
    const lines = shown.flatMap(
      (line) => /^(?:(plugin|Refloat) +)?(\{.*\})(?: {2,}.*)?$/.exec(line)?.slice(1, 3) ?? [],
    );
    const kinds = ["hello", "request", "message", "frame"];
    const told = lines
      .filter((_line, index) => index % 2 === 1)
      .map((line) => kinds.filter((kind) => accepts(kind, line)));
    expect(told).toEqual([
      ["hello"],
      ["request"],
      ["message"],
      ["message"],
      ["frame"],
      ["frame"],
      ["frame"],
      ["frame"],
    ]);
    expect(accepts("frame", '{"stream":"../etc/passwd","bytes":1}')).toBe(false);
  });
});
