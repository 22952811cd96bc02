/** What is asked of a database: the sql check, values of an invariant, and the preflight of a poor and of a rich user. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type TestFolder, createTestCheckContext, createTestFolder } from "../../testing/driver-context.ts";
import { postgresContext } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";
import { postgresInvariantValues } from "./invariant-values.ts";
import { preflightPostgres } from "./preflight.ts";
import { sqlCheck } from "./sql-check.ts";

let server: PostgresServer;
let folder: TestFolder;

beforeAll(async () => {
  server = await startPostgresServer();
  await query(server.url("postgres"), "create database shop");
  await query(
    server.url("shop"),
    `create table products (id int primary key, price numeric, name text);
     insert into products values (1, 2.5, 'a'), (2, 0, null), (3, 1, E'back\\\\slash'), (4, 1, E'tab\\tbed'), (5, 1, E'new\\nline'), (6, 1, '\\N');
     alter table products enable row level security;
     create role poor login; create role owner_role; alter table products owner to owner_role;
     alter database shop owner to owner_role;
     create role capable login;`,
  );
});
afterAll(() => server.stop());
beforeEach(async () => {
  folder = await createTestFolder();
});
afterEach(() => folder.remove());

describe("a sql check", () => {
  const check = (sql: string, changes: { url?: string; timeoutMs?: number; signal?: AbortSignal } = {}) =>
    sqlCheck.run(
      createTestCheckContext({
        component: "db",
        outputs: { url: { value: changes.url ?? server.url("shop"), secret: false } },
        timeoutMs: changes.timeoutMs ?? 60_000,
        ...(changes.signal === undefined ? {} : { signal: changes.signal }),
      }),
      { sql },
    );

  test.each([
    ["select true", "passed", /^true$/],
    ["select count(*) = 0 from products where price <= 0", "failed", /^false$/],
    ["select count(*) from products", "passed", /^6$/],
    ["select 0.0", "failed", /^0\.0$/],
    ["select 't'::text;", "passed", /^t$/],
    ["select 'no'", "failed", /^no$/],
    ["select null::bool", "failed", /^null$/],
    ["select 1 where false", "failed", /^no row$/],
    ["select id from products", "failed", /^6 rows, one is expected$/],
    ["select 1, 2", "failed", /^2 columns, one is expected$/],
    ["delete from products returning true", "failed", /read-only transaction/],
    ["select 1; select 1", "failed", /multiple commands/],
    ["selec 1", "failed", /syntax error/],
  ] as const)("%s: %s", async (sql, status, found) => {
    const outcome = await check(sql);
    expect(outcome).toMatchObject({ subject: `sql: ${sql}`, component: "db", status });
    expect(outcome.found).toMatch(found);
    expect(await query(server.url("shop"), "select count(*)::int as n from products")).toEqual([{ n: 6 }]);
  });

  test("ends at its limit, on the server too", async () => {
    expect(await check("select pg_sleep(600)", { timeoutMs: 200 })).toMatchObject({
      status: "failed",
      found: "no answer in 0.2 s",
    });
    const busy =
      "select count(*)::int as n from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()";
    for (let tries = 0; tries < 600; tries += 1) {
      if ((await query(server.url("postgres"), busy))[0]?.["n"] === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("the query goes on after its check has ended");
  });

  test("of a server that is not there fails; of what is no database it is a mistake in the file", async () => {
    expect(await check("select true", { url: "postgres://x@127.0.0.1:1/shop" })).toMatchObject({
      status: "failed",
      found: expect.stringContaining("connection refused"),
    });
    await expect(check("select true", { url: "http://127.0.0.1/" })).rejects.toMatchObject({ code: "config.invalid" });
    const reason = new Error("enough");
    await expect(check("select true", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("values of an invariant", () => {
  const values = async (expression: string): Promise<string> => {
    const chunks: Uint8Array[] = [];
    const context = postgresContext(server, "shop", folder.path);
    for await (const chunk of postgresInvariantValues(context, expression, null)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };

  test("are one per line, nulls left out, as they are written", async () => {
    expect(await values("select name from products order by id;")).toBe("a\nback\\slash\ntab\tbed\nnew\\nline\n\\N\n");
    expect(await values("select name from products where id = 2 -- comment")).toBe("");
  });

  test("come as a stream of any length", async () => {
    const text = await values("select 'invoice-' || i from generate_series(1, 200000) i");
    expect(text.split("\n").length).toBe(200_001);
    expect(text.endsWith("invoice-200000\n")).toBe(true);
  });

  test("have one column, and the query is one that the server understands", async () => {
    await expect(values("select id, price from products")).rejects.toMatchObject({ code: "config.invalid" });
    await expect(values("select nothing from nowhere")).rejects.toMatchObject({
      code: "source.failed",
      message: expect.stringContaining('relation "nowhere" does not exist'),
    });
  });
});

describe("preflight", () => {
  const preflight = (user: string) =>
    preflightPostgres(postgresContext(server, "shop", folder.path, { more: { url: server.url("shop", user) } }));

  test("of a superuser is fine and shows the commands", async () => {
    const report = await preflight("postgres");
    expect(report.findings.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.commands.join("\n")).toMatch(/pg_dump --format=custom .*--snapshot=SNAPSHOT/);
    expect(report.recoveryCommands.join("\n")).toMatch(/pg_restore --format=directory .*\n[^]*RENAME TO "shop_oldN"/);
    expect([...report.commands, ...report.recoveryCommands].join("\n")).not.toMatch(/PGPASSWORD|:.*@/);
  });

  test("of a poor user names each lack, and its grants mend all of them", async () => {
    // Somebody else's session is what the right to end sessions is needed for.
    const [before, alone] = [await withClient(server.url("shop"), () => preflight("poor")), await preflight("poor")];
    expect(alone.findings.find(({ subject }) => subject === "end old sessions at the cutover")?.ok).toBe(true);
    expect(before.findings.filter(({ ok }) => !ok).map(({ subject }) => subject)).toEqual([
      "read all tables",
      "row level security",
      "create the restored database",
      "give restored objects their owners",
      "rename the database at the cutover",
      "end old sessions at the cutover",
    ]);
    for (const grant of before.grants) await query(server.url("shop"), grant);
    const after = await withClient(server.url("shop"), () => preflight("poor"));
    expect(after.findings.filter(({ ok }) => !ok)).toEqual([]);
  });

  test("of a user that is no superuser finds what only a superuser could make again", async () => {
    await query(server.url("postgres"), "create role careful login createdb; create role other");
    await query(server.url("postgres"), "create database guarded owner careful");
    await query(server.url("guarded"), "create extension pg_stat_statements; create extension pg_trgm");
    await query(server.url("guarded"), "create table apart (id int); alter table apart owner to other");
    await query(server.url("guarded"), "alter database guarded set log_statement = 'all'");
    await query(server.url("guarded"), "alter role other in database guarded set work_mem = '8MB'");
    await query(server.url("guarded"), "grant other, pg_signal_backend to careful");
    const ask = () =>
      preflightPostgres(
        postgresContext(server, "guarded", folder.path, { more: { url: server.url("guarded", "careful") } }),
      );
    const { findings, grants } = await ask();
    expect(findings.filter(({ ok }) => !ok)).toMatchObject([
      { subject: "make its extensions again", found: "only a superuser may create pg_stat_statements" },
      { subject: "settings of the database", found: "only a superuser may set log_statement" },
      {
        subject: "objects whose owner may make nothing in their schema",
        found: expect.stringContaining("public.apart"),
      },
      { subject: "settings of roles in the database", found: "no CREATEROLE, and other have some" },
    ]);
    expect(findings).toContainEqual(
      expect.objectContaining({ ok: true, subject: "make roles that are missing by then" }),
    );
    for (const grant of grants) await query(server.url("guarded"), grant);
    expect((await ask()).findings.filter(({ ok }) => !ok)).toEqual([]);
  });

  test("of a server that is not there says so and throws nothing", async () => {
    const context = postgresContext(server, "shop", folder.path, { more: { url: "postgres://x@127.0.0.1:1/shop" } });
    expect((await preflightPostgres(context)).findings).toMatchObject([{ ok: false, subject: "127.0.0.1:1" }]);
  });
});
