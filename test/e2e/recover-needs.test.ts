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
          - command: test "$(psql -h \${identity.accounts.host} -p \${identity.accounts.port} -U \${identity.accounts.user} -tAc 'select count(*) from accounts' \${identity.accounts.database})" = 2 && { test ! -e ${at("late")} || mkdir -p ${at("portal.r5")}; }
  identity:
    components:
      accounts:
        type: postgres
        url: ${url}
        checks:
          - sql: select count(*) = 2 from accounts
  portal:
    components:
      start: { type: files, path: ${at("portal")}, dependsOn: [shop.pages] }
`,
    );
    await notes.refloat.succeed(["vault", "init"]);
    await notes.refloat.succeed(["capture", "identity"]);
    await mkdir(at("portal"));
    await notes.refloat.succeed(["capture", "shop"]);
    await notes.refloat.succeed(["capture", "portal"]);
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

  it(
    "looks again before each later run: what works by now is left alone, what no longer fits is not begun",
    {
      timeout: 300_000,
    },
    async () => {
      await notes.query("delete from accounts where name = 'eve'", "accounts");
      await writeFile(at("pages/index"), "written since");
      const before = (await notes.refloat.succeed(["runs", "--json"])).stdout;
      // The check of the pages, once the accounts are back, takes the name that the portal's run would need.
      await writeFile(at("late"), "");
      const { exit, stdout, stderr } = await notes.refloat.run(["recover", "portal", "--with-needs", "--yes"]);
      expect(stdout).toMatch(/ILL +shop: /);
      for (const shown of ["accounts_r4", "pages.r5", "portal.r6"]) expect(stdout).toContain(shown);
      expect(stdout).toContain("IDENTITY IS BACK");
      // It was ill for want of the accounts alone.
      expect(stdout).toMatch(/IDENTITY IS BACK[^]*works +shop: what was asked of it is right/);
      expect(await readFile(at("pages/index"), "utf8")).toBe("written since");
      expect(exit).toBe(3);
      expect(stderr).toContain("run 5 needs names that are taken");
      expect(stderr).toContain("not begun: portal");
      expect(before).not.toContain('"number":4');
      expect((await notes.refloat.succeed(["runs", "--json"])).stdout).not.toContain('"number":5');
    },
  );
});
