import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Declaration, declarationSchema } from "../../model/declaration.ts";
import { diagnosticSchema } from "../../model/diagnostic.ts";
import { diagnosticCatalogue } from "./diagnostic-catalogue.ts";
import { diagnosticText } from "./diagnostic-text.ts";
import { parseDeclaration } from "./parse-declaration.ts";
import { wordRegistry } from "./test-registry.ts";

const fixtures = join(import.meta.dirname, "../../../test/fixtures/declarations");

const parseFixture = async (name: string) =>
  parseDeclaration(await readFile(join(fixtures, name), "utf8"), name.replace(/^.*\//, ""), wordRegistry);

const parsed = (text: string): Declaration => {
  const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", wordRegistry);
  expect(diagnostics).toEqual([]);
  if (declaration === undefined) throw new Error("no declaration");
  return declaration;
};

describe("the files that people are shown", () => {
  test("the simple case", async () => {
    const { declaration } = await parseFixture("notes.yaml");
    expect(declaration).toEqual({
      vault: { url: "/backup/vault", password: "${file:/etc/refloat/password}" },
      services: {
        notes: {
          name: "notes",
          owners: [],
          objectives: {},
          schedule: "every 1h",
          keep: { hourly: 24, daily: 7 },
          components: {
            db: {
              name: "db",
              type: "postgres",
              dependsOn: [],
              uses: [],
              checks: [],
              options: { url: "postgres:///notes", jobs: 2 },
            },
            docs: {
              name: "docs",
              type: "files",
              dependsOn: [],
              uses: [],
              checks: [],
              options: { path: "/srv/notes", exclude: [] },
            },
          },
          invariants: {},
          cutover: [],
        },
      },
    });
  });

  test("the demo shop", async () => {
    const { declaration } = await parseFixture("shop.yaml");
    const shop = declaration?.services["shop"];
    expect(shop).toMatchObject({
      objectives: { rto: "15m", rpo: "1h", mtd: "4h" },
      lock: { for: "7d" },
      probe: { kind: "http", options: { http: "http://127.0.0.1:8080/health" }, timeoutMs: 30_000 },
      invariants: {
        "invoices-exist": { every: { db: "select invoice from orders" }, in: { uploads: "invoices/*.pdf" } },
      },
      cutover: [
        {
          kind: "haproxy",
          options: { haproxy: "shop/app", socket: "/run/haproxy/admin.sock", to: "${app.address}" },
          to: "${app.address}",
        },
      ],
    });
    expect(shop?.components["app"]).toEqual({
      name: "app",
      type: "process",
      dependsOn: [],
      uses: [],
      checks: [
        {
          kind: "http",
          options: { http: "${self.url}/products/1", expect: { status: 200, body: "price" } },
          timeoutMs: 30_000,
        },
      ],
      options: {
        release: "/srv/shop/current",
        start: "node server.js",
        ports: "8081-8082",
        environment: { PORT: "${self.port}", DATABASE_URL: "${db.url}", UPLOADS: "${uploads.path}" },
      },
    });
    expect(shop?.components["db"]?.checks).toEqual([
      {
        kind: "sql",
        options: { sql: "select count(*) = 0 from products where price <= 0" },
        timeoutMs: 30_000,
      },
    ]);
  });

  test.each(["notes.yaml", "shop.yaml"])("%s is a declaration by the model, and survives JSON", async (name) => {
    const { declaration, diagnostics } = await parseFixture(name);
    expect(declarationSchema.parse(JSON.parse(JSON.stringify(declaration)))).toEqual(declaration);
    expect(diagnostics.every(({ severity, code }) => severity === "warning" && code === "config.not-enforced")).toBe(
      true,
    );
  });

  test("the bigger one says of each word that this version lacks, and of no other", async () => {
    const { declaration, diagnostics } = await parseFixture("market.yaml");
    expect(declaration).toBeUndefined();
    await expect(`${diagnostics.map(diagnosticText).join("\n")}\n`).toMatchFileSnapshot(join(fixtures, "market.txt"));
    expect(new Set(diagnostics.map(({ code }) => code))).toEqual(new Set(["config.unsupported"]));
  });
});

describe("a file with mistakes is answered with all of them", () => {
  const broken = readdirSync(join(fixtures, "broken")).filter((name) => name.endsWith(".yaml"));

  test.each(broken)("%s", async (name) => {
    const { declaration, diagnostics } = await parseFixture(`broken/${name}`);
    expect(declaration).toBeUndefined();
    const expected = join(fixtures, "broken", name.replace(/yaml$/, "txt"));
    await expect(`${diagnostics.map(diagnosticText).join("\n")}\n`).toMatchFileSnapshot(expected);
  });

  test("every code is in the catalogue, and each one is shown by a file", async () => {
    const seen = new Set<string>();
    for (const name of broken)
      for (const diagnostic of (await parseFixture(`broken/${name}`)).diagnostics) {
        expect(diagnosticSchema.parse(diagnostic)).toEqual(diagnostic);
        seen.add(diagnostic.code);
      }
    expect([...seen].sort()).toEqual(Object.keys(diagnosticCatalogue).sort());
  });

  test("no password of a file reaches a diagnostic", async () => {
    const { diagnostics } = await parseFixture("broken/secrets.yaml");
    expect(JSON.stringify(diagnostics)).not.toMatch(/hunter\d/);
  });
});

const minimal = (component: string): string =>
  `vault: { url: /v, password: "\${env:P}" }\nservices:\n  s:\n    components:\n      c: ${component}\n`;

describe("what may be written in more than one way", () => {
  test("a probe with more to say", () => {
    const file = `${minimal("{ type: files, path: /c }")}    probe: { http: "http://x/", expect: { status: 204 }, timeout: 5s }\n`;
    expect(parsed(file).services["s"]?.probe).toEqual({
      kind: "http",
      options: { http: "http://x/", expect: { status: 204 } },
      timeoutMs: 5_000,
    });
  });

  test("a lock with a mode", () => {
    const file = `${minimal("{ type: files, path: /c }")}    lock: { for: 30d, mode: compliance }\n`;
    const { declaration } = parseDeclaration(file, "f", wordRegistry);
    expect(declaration?.services["s"]?.lock).toEqual({ for: "30d", mode: "compliance" });
  });

  test("an entry of cutover whose driver takes no `to` of its own", () => {
    const file = `${minimal("{ type: files, path: /c }")}    cutover: [{ command: ./switch, to: here }]\n`;
    expect(parsed(file).services["s"]?.cutover).toEqual([
      { kind: "command", options: { command: "./switch" }, to: "here" },
    ]);
  });

  test("the place of a mistake is the same with Windows line ends and a byte order mark", () => {
    const text = minimal("{ type: files, pth: /c }");
    const places = (given: string) =>
      parseDeclaration(given, "f", wordRegistry).diagnostics.map(({ line, column, length, excerpt, path }) => [
        line,
        column,
        length,
        excerpt,
        path,
      ]);
    expect(places(text)).toEqual([[5, 25, 3, "      c: { type: files, pth: /c }", "services.s.components.c"]]);
    expect(places(`\uFEFF${text.replaceAll("\n", "\r\n")}`)).toEqual(places(text));
  });
});

test("no text makes it throw, and a declaration comes only without errors", async () => {
  const shop = await readFile(join(fixtures, "shop.yaml"), "utf8");
  const lines = shop.split("\n");
  const damage = fc.array(
    fc.record({
      line: fc.nat(lines.length - 1),
      act: fc.constantFrom("drop", "twice", "indent", "outdent", "cut", "noise"),
      noise: fc.constantFrom(
        "${",
        "}",
        "\t",
        "'",
        '"',
        "[",
        "{",
        "*x",
        "&x",
        "!t",
        ": ",
        "- ",
        "null",
        "<<: 1",
        "\u0000",
        "${db.url}",
      ),
      at: fc.nat(40),
    }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(damage, (wounds) => {
      const text = wounds
        .reduce<readonly string[]>((hurt, { line, act, noise, at }) => {
          const old = hurt[line] ?? "";
          const fresh = {
            drop: [],
            twice: [old, old],
            indent: [`  ${old}`],
            outdent: [old.replace(/^ {2}/, "")],
            cut: [old.slice(0, at)],
            noise: [old.slice(0, at) + noise + old.slice(at)],
          }[act];
          return hurt.toSpliced(line, 1, ...fresh);
        }, lines)
        .join("\n");
      const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", wordRegistry);
      expect(declaration === undefined).toBe(diagnostics.some(({ severity }) => severity === "error"));
      for (const diagnostic of diagnostics) {
        const line = text.replaceAll("\r", "").split("\n")[diagnostic.line - 1] ?? "";
        expect(diagnostic.column - 1 + diagnostic.length).toBeLessThanOrEqual(line.length + 1);
        expect(diagnosticText(diagnostic)).not.toMatch(/undefined|\[object/);
      }
    }),
    { numRuns: 400 },
  );
});
