/**
 * A shop that needs an identity database of another service: bound to it by reference, recovered after it when both are damaged, and without it
 * when it works. On a real PostgreSQL server.
 */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { stepIdOf } from "../../src/testing/run-plans.ts";
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
  }, 300_000);

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

  it(
    "is recovered with what it needs when both are damaged, by one plan, under one yes",
    { timeout: 300_000 },
    async () => {
      await notes.query("delete from accounts where name = 'ben'", "accounts");
      await writeFile(at("pages/index"), "damaged");
      const unasked = await notes.refloat.run(["recover", "shop", "--with-needs"]);
      expect(unasked.exit).toBe(3);
      expect(unasked.stdout + unasked.stderr).toContain("ILL      identity: sql: select count(*) = 2 from accounts");
      expect(await accounts()).toBe(1);

      const planned = await notes.refloat.succeed(["plan", "shop", "--with-needs", "--json"]);
      const joint = resultEnvelopeSchema("joint-plan").parse(planned.lines.at(-1)).data;
      expect(joint.parts.map(({ intent }) => intent.service)).toEqual(["identity", "shop"]);
      const [identity, shop] = joint.parts;
      expect(identity?.intent.steps.filter(({ after }) => after !== undefined)).toEqual([]);
      // Bytes move side by side where no text of theirs names the other service; what does waits, and so does the cutover.
      expect(Object.fromEntries(shop?.intent.steps.map(({ id, after = [] }) => [id, after]) ?? [])).toMatchObject({
        "check:pages": ["identity"],
        "switch:pages": ["identity"],
      });
      const same = await notes.refloat.succeed(["plan", "shop", "--with-needs", "--diff", joint.digest.slice(0, 8)]);
      expect(same.stdout).toContain("the digests are equal");

      const { stdout } = await notes.refloat.succeed(["recover", "--plan", joint.digest.slice(0, 8)]);
      expect(stdout).toContain("Begun with  identity; refloat undo 2 --with-needs takes all of them back");
      expect(stdout.indexOf("IDENTITY IS BACK")).toBeGreaterThan(0);
      expect(stdout.indexOf("SHOP IS BACK")).toBeGreaterThan(stdout.indexOf("IDENTITY IS BACK"));
      expect(await accounts()).toBe(2);
      expect(await readFile(at("pages/index"), "utf8")).toBe("as captured");

      const runs = resultEnvelopeSchema("runs").parse(
        (await notes.refloat.succeed(["runs", "--json"])).lines.at(-1),
      ).data;
      expect(runs.map(({ number, service, state }) => ({ number, service, state }))).toEqual([
        { number: 2, service: "shop", state: "succeeded" },
        { number: 1, service: "identity", state: "succeeded" },
      ]);
      expect(runs[0]?.joint).toEqual(runs[1]?.joint);
      expect(runs[0]?.joint).toMatchObject({ asked: "shop", digest: joint.digest });
      const byId = (run: (typeof runs)[number] | undefined) => new Map(run?.steps.map((step) => [step.id, step]));
      const lastOfIdentity = Math.max(...(runs[1]?.steps.map(({ endedAt }) => Date.parse(endedAt ?? "")) ?? []));
      expect(Date.parse(byId(runs[0]).get(stepIdOf("check:pages"))?.beganAt ?? "")).toBeGreaterThanOrEqual(
        lastOfIdentity,
      );
      expect((await notes.refloat.succeed(["runs"])).stdout).toContain("with 1");
    },
  );

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
    "asks again before a cutover: what works by now is left alone, and what waits for it goes on",
    {
      timeout: 300_000,
    },
    async () => {
      await notes.query("delete from accounts where name = 'eve'", "accounts");
      await writeFile(at("pages/index"), "written since");
      await writeFile(at("portal/start"), "damaged");
      const { stdout } = await notes.refloat.succeed(["recover", "portal", "--with-needs", "--yes"]);
      expect(stdout).toMatch(/ILL +shop: /);
      for (const shown of ["accounts_r4", "pages.r5", "portal.r6"]) expect(stdout).toContain(shown);
      for (const back of ["IDENTITY IS BACK", "PORTAL IS BACK"]) expect(stdout).toContain(back);
      // It was ill for want of the accounts alone.
      expect(stdout).toContain("shop works again and is left alone");
      expect(await readFile(at("pages/index"), "utf8")).toBe("written since");
      expect(await readdir(notes.folder)).not.toContain("pages.r5");
      const runs = resultEnvelopeSchema("runs").parse(
        (await notes.refloat.succeed(["runs", "--json"])).lines.at(-1),
      ).data;
      expect(runs.slice(0, 3).map(({ service, state }) => `${service} ${state}`)).toEqual([
        "portal succeeded",
        "shop cancelled",
        "identity succeeded",
      ]);
    },
  );

  it(
    "takes back what was recovered together, what was put back last first; or one service alone",
    {
      timeout: 300_000,
    },
    async () => {
      const { stdout } = await notes.refloat.succeed(["undo", "6", "--with-needs", "--yes"]);
      expect(stdout).toContain("taken back together");
      const runs = resultEnvelopeSchema("runs").parse(
        (await notes.refloat.succeed(["runs", "--json"])).lines.at(-1),
      ).data;
      expect(
        runs.slice(0, 5).map(({ number, service, purpose, state }) => `${number} ${service} ${purpose} ${state}`),
      ).toEqual([
        "8 identity undo succeeded",
        "7 portal undo succeeded",
        "6 portal recover undone",
        "5 shop recover cancelled",
        "4 identity recover undone",
      ]);
      const find = (run: number, step: string) =>
        runs.find(({ number }) => number === run)?.steps.find(({ id }) => id === (step as typeof id));
      expect(Date.parse(find(8, "switch:accounts")?.beganAt ?? "")).toBeGreaterThanOrEqual(
        Date.parse(find(7, "switch:start")?.endedAt ?? "NaN"),
      );
      expect(await readFile(at("portal/start"), "utf8")).toBe("damaged");
      expect(await accounts()).toBe(1);
    },
  );
});
