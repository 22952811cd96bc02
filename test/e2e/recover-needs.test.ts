/**
 * A shop that needs an identity database of another service: bound to it by reference, recovered after it when both are damaged, and without it
 * when it works. On a real PostgreSQL server.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type NotesService, startNotesService } from "./support/notes-service.ts";

describe("a service that needs another one", () => {
  let notes: NotesService;
  const at = (name: string): string => join(notes.folder, name);

  beforeAll(async () => {
    notes = await startNotesService();
    const url = notes.server.url("accounts");
    await notes.query("create database accounts", "postgres");
    await notes.query("create table accounts (name text primary key)", "accounts");
    await notes.query("insert into accounts values ('anna'), ('ben')", "accounts");
    await mkdir(at("pages"));
    await writeFile(at("pages/index"), "as captured");
    const file = await readFile(at("refloat.yaml"), "utf8");
    const [vault = ""] = file.split("services:");
    await writeFile(
      at("refloat.yaml"),
      `${vault}services:
  shop:
    components:
      pages:
        type: files
        path: ${at("pages")}
        dependsOn: [identity.accounts]
        checks:
          - command: test "$(psql -h \${identity.accounts.host} -p \${identity.accounts.port} -U \${identity.accounts.user} -tAc 'select count(*) from accounts' \${identity.accounts.database})" = 2
  identity:
    components:
      accounts:
        type: postgres
        url: ${url}
        checks:
          - sql: select count(*) = 2 from accounts
`,
    );
    await notes.refloat.succeed(["vault", "init"]);
    await notes.refloat.succeed(["capture", "identity"]);
    await notes.refloat.succeed(["capture", "shop"]);
  }, 120_000);

  afterAll(async () => {
    await notes.stop();
  });

  const accounts = async (): Promise<number> =>
    Number((await notes.query("select count(*) as n from accounts", "accounts"))[0]?.["n"]);

  it("says what else an action touches, and refuses services that wait for each other", async () => {
    const { lines, stdout } = await notes.refloat.succeed(["plan", "identity", "--json"]);
    expect(resultEnvelopeSchema("plan").parse(lines.at(-1)).data.forecast.touches).toEqual([
      { service: "shop", component: "pages", to: "accounts", via: "dependsOn" },
      ...["host", "port", "user", "database"].map((output) => ({
        service: "shop",
        component: "pages",
        to: "accounts",
        via: `\${identity.accounts.${output}}`,
      })),
    ]);
    expect(stdout).not.toBe("");
    const file = await readFile(at("refloat.yaml"), "utf8");
    await writeFile(
      at("refloat.yaml"),
      file.replace("type: postgres", "type: postgres\n        dependsOn: [shop.pages]"),
    );
    const refused = await notes.refloat.run(["validate"]);
    await writeFile(at("refloat.yaml"), file);
    expect(refused.exit).toBe(2);
    expect(refused.stderr).toContain("error config.cycle: services wait for each other");
    expect(refused.stderr).toMatch(
      /shop > identity \(\d+:\d+, by dependsOn of pages\) > shop \(\d+:\d+, by dependsOn of accounts\)/,
    );
  });

  it("is recovered after what it needs when both are damaged, under one yes", { timeout: 300_000 }, async () => {
    await notes.query("delete from accounts where name = 'ben'", "accounts");
    await writeFile(at("pages/index"), "damaged");
    const unasked = await notes.refloat.run(["recover", "shop", "--with-needs"]);
    expect(unasked.exit).toBe(3);
    expect(unasked.stdout + unasked.stderr).toContain("ILL      identity: sql: select count(*) = 2 from accounts");
    expect(await accounts()).toBe(1);

    const { stdout } = await notes.refloat.succeed(["recover", "shop", "--with-needs", "--yes"]);
    expect(stdout.indexOf("IDENTITY IS BACK")).toBeGreaterThan(0);
    expect(stdout.indexOf("SHOP IS BACK")).toBeGreaterThan(stdout.indexOf("IDENTITY IS BACK"));
    expect(await accounts()).toBe(2);
    expect(await readFile(at("pages/index"), "utf8")).toBe("as captured");
  });

  it("is recovered alone when what it needs works", { timeout: 300_000 }, async () => {
    await notes.query("insert into accounts values ('eve')", "accounts");
    await notes.query("delete from accounts where name = 'ben'", "accounts");
    await writeFile(at("pages/index"), "damaged again");
    const { stdout } = await notes.refloat.succeed(["recover", "shop", "--with-needs", "--yes"]);
    expect(stdout).toContain("works    identity: what was asked of it is right");
    expect(stdout).not.toContain("IDENTITY IS BACK");
    // What it took since its point is not put back.
    expect((await notes.query("select name from accounts order by 1", "accounts")).map(({ name }) => name)).toEqual([
      "anna",
      "eve",
    ]);
    expect(await readFile(at("pages/index"), "utf8")).toBe("as captured");
  });
});
