/** What was written since a point, tables taken out of one, and questions that checks and invariants ask. */
import { copyFile, mkdir, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DriverContext } from "../../core/ports/driver.ts";
import type { Repository } from "../../core/ports/vault.ts";
import { driverRegistry } from "../../driver-registry.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestCheckContext, createTestFolder } from "../../testing/driver-context.ts";
import { createLedger, queryRows, runSql, sqliteContext, sqliteDriver } from "../../testing/sqlite-bench.ts";
import { createRepository } from "../../vault/repository/create-repository.ts";

vi.setConfig({ testTimeout: 300_000 });

const { contents, writes, stableOutputs, invariantValues } = sqliteDriver;
const signal = new AbortController().signal;

let folder: TestFolder;
let path: string;
beforeEach(async () => {
  folder = await createTestFolder("refloat-sqlite");
  path = join(folder.path, "shop.db");
});
afterEach(() => folder.remove());

const contextOf = (options: object = {}): DriverContext => sqliteContext(folder.path, { path, ...options });

const collect = async (bytes: AsyncIterable<Uint8Array> | undefined): Promise<string> => {
  const parts: Uint8Array[] = [];
  for await (const part of bytes ?? []) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
};

const captureIn = async (vault: Repository, context: DriverContext): Promise<CapturedComponent> => {
  const writer = await vault.beginSnapshot({ hostname: "test", time: new Date(), tags: [], paths: ["/shop/db"] });
  const report = await sqliteDriver.capture(context, writer, null);
  const { id, newBytes } = await writer.commit();
  return {
    name: "db",
    driver: "sqlite",
    snapshot: id,
    newBytes,
    sizeBytes: report.facts.sizeBytes,
    finishedAt: report.window.endAt,
    ...report,
  };
};

const withVault = async (act: (vault: Repository) => Promise<void>): Promise<void> => {
  const vault = await createRepository(join(folder.path, "vault"), "password", { clock: systemClock });
  try {
    await act(vault);
  } finally {
    await vault.close();
  }
};

describe("what was written since a point", () => {
  const schema = `
    create table orders (id integer primary key, customer text collate nocase, amount real);
    insert into orders values (1, 'ann', 1.5), (2, 'bob', 2), (3, 'cy', 3);
    create table keyed (a text, b int, v text, primary key (a, b)) without rowid;
    insert into keyed values ('x', 1, 'one'), ('x', 2, 'two');
    create table nullable (k text primary key, v);
    insert into nullable values (null, 1), ('a', 2);
    create table loose (v text);
    insert into loose values ('first'), ('second');
    create table dropped (v);
    insert into dropped values (1), (2);`;

  test("is told row by row against another state, and added rows are exported", async () => {
    runSql(path, schema);
    const context = contextOf();
    await copyFile(path, `${path}.r42`);
    await withVault(async (vault) => {
      const since = (await captureIn(vault, context)).facts.position;
      if (since === undefined) throw new Error("no position");
      expect(await writes?.estimateSince?.(context, since)).toEqual({ about: "nothing", lastWriteAt: since.takenAt });
      expect(await writes?.writesSince(context, { location: null, since })).toEqual({
        lastWriteAt: null,
        units: [],
        gaps: [],
      });
      runSql(
        path,
        `insert into orders values (4, 'dee, "the fourth"', null), (5, '', 0.1);
         update orders set customer = 'ANN' where id = 1;
         delete from orders where id = 2;
         update keyed set v = 'changed' where b = 2;
         insert into keyed values ('y', 1, 'new');
         insert into loose values ('third');
         delete from nullable where k = 'a';
         drop table dropped;
         create table added (v blob);
         insert into added values (x'00ff'), ('text');`,
      );
      const lost = join(folder.path, "lost");
      const report = await writes?.writesSince(context, {
        location: null,
        since,
        against: `${path}.r42`,
        exportTo: lost,
      });
      expect(report?.units).toEqual([
        { name: "added", added: 2, changed: 0, removed: 0, file: "added.csv" },
        { name: "keyed", added: 1, changed: 1, removed: 0, file: "keyed.csv", changedFile: "changed/keyed.csv" },
        { name: "loose", added: 1, changed: 0, removed: 0, file: "loose.csv" },
        { name: "nullable", added: 0, changed: 0, removed: 1 },
        { name: "orders", added: 2, changed: 1, removed: 1, file: "orders.csv", changedFile: "changed/orders.csv" },
        { name: "dropped", added: 0, changed: 0, removed: 2 },
      ]);
      expect(report?.gaps).toEqual(["dropped was dropped"]);
      expect(Date.parse(report?.lastWriteAt ?? "")).toBeGreaterThan(Date.parse(since.takenAt) - 1_000);
      expect(await readFile(join(lost, "orders.csv"), "utf8")).toBe(
        'id,customer,amount\n4,"dee, ""the fourth""",\n5,"",0.1\n',
      );
      expect(await readFile(join(lost, "changed/orders.csv"), "utf8")).toMatch(/^id,customer,amount\n1,ANN,[^\n]*\n$/);
      expect(await readFile(join(lost, "changed/keyed.csv"), "utf8")).toMatch(/,changed\n$/);
      expect(await readFile(join(lost, "added.csv"), "utf8")).toBe("v\n\\x00ff\ntext\n");
      expect((await readdir(lost)).filter((name) => name.endsWith(".tmp"))).toEqual([]);

      const estimate = await writes?.estimateSince?.(context, since);
      expect(estimate?.about).toMatch(/^about 2 \w+, 2 \w+, 1 \w+$/);
      const alone = await writes?.writesSince(context, { location: null, since });
      expect(alone?.units).toContainEqual({ name: "added", added: 2, changed: 0, removed: 0 });
      expect(alone?.units).toContainEqual({ name: "dropped", added: 0, changed: 0, removed: 2 });
      expect(alone?.gaps).toContainEqual(expect.stringContaining("orders was written to"));
      const here = await writes?.position(context, null);
      if (here === undefined) throw new Error("no position");
      // A write that puts everything back is none, whatever the file's time says.
      runSql(path, "update orders set amount = 7 where id = 3; update orders set amount = 3 where id = 3");
      expect(await writes?.writesSince(context, { location: null, since: here })).toMatchObject({
        units: [],
        gaps: [],
      });
      runSql(path, "delete from orders where id = 3");
      expect(await writes?.writesSince(context, { location: null, since: here })).toMatchObject({
        units: [{ name: "orders", added: 0, changed: 0, removed: 1 }],
      });
    });
  });

  test("of a folder is told by database, and one that is gone is a gap", async () => {
    const data = join(folder.path, "data");
    const other = join(folder.path, "data.r42");
    for (const at of [data, other]) {
      await mkdir(at);
      for (const name of ["a.db", "b.db"]) createLedger(join(at, name), "wal");
    }
    runSql(join(other, "a.db"), "delete from padding");
    runSql(join(data, "a.db"), "delete from padding; insert into transfers values (null, 1, 2, 3)");
    runSql(join(data, "b.db"), "attach '' as x; drop table padding; vacuum");
    runSql(join(other, "b.db"), "drop table padding");
    createLedger(join(other, "c.db"), "wal");
    const context = contextOf({ path: data, databases: ["*.db"] });
    const since = await writes?.position(context, null);
    if (since === undefined) throw new Error("no position");
    const report = await writes?.writesSince(context, { location: null, since, against: other });
    expect(report).toMatchObject({
      units: [{ name: "a.db/transfers", added: 1, changed: 0, removed: 0 }],
      gaps: ["the database c.db is not there any more"],
    });
  });
});

describe("a table of a point", () => {
  test.each(["UTF-8", "UTF-16le", "UTF-16be"])(
    "in %s is taken out as CSV and as COPY text, as it was stored",
    async (encoding) => {
      runSql(
        path,
        `pragma encoding = '${encoding}';
       create table t (id integer primary key, "a ""b""" text, v);
       insert into t values (1, 'tab	and
line', 1.0), (2, null, x'00ff'), (3, '', 9223372036854775807), (4, 'ünï, "x"', 1e300), (5, 'back\\slash', -0.5);`,
      );
      const context = contextOf();
      await withVault(async (vault) => {
        const captured = await captureIn(vault, context);
        const tree = await vault.openTree(captured.snapshot);
        const [table] = contents?.tables(captured) ?? [];
        if (table === undefined) throw new Error("no table");
        expect(table).toMatchObject({ name: "t", rows: 5, hasRows: true });
        const before = await readdir("/tmp");
        expect(await collect(contents?.rows(tree, captured, { table, format: "csv", signal }))).toBe(
          `id,"a ""b""",v\n1,"tab\tand\nline",1.0\n2,,\\x00ff\n3,"",9223372036854775807\n4,"ünï, ""x""",1e+300\n5,back\\slash,-0.5\n`,
        );
        expect(await collect(contents?.rows(tree, captured, { table, format: "copy", signal }))).toBe(
          `1\ttab\\tand\\nline\t1.0\n2\t\\N\t\\\\x00ff\n3\t\t9223372036854775807\n4\tünï, "x"\t1e+300\n5\tback\\\\slash\t-0.5\n`,
        );
        const changed = { ...table, sha256: "0".repeat(64) };
        await expect(
          collect(contents?.rows(tree, captured, { table: changed, format: "csv", signal })),
        ).rejects.toMatchObject({ code: "vault.damaged" });
        expect(
          (await readdir("/tmp")).filter(
            (name) => name.startsWith("refloat-sqlite-") && !before.includes(name) && /-[0-9a-f]{12}$/.test(name),
          ),
        ).toEqual([]);
      });
    },
  );

  test("keeps text that is no valid UTF-8, byte for byte", async () => {
    runSql(path, "create table t (a text); insert into t values (cast(x'41ff42' as text))");
    await withVault(async (vault) => {
      const captured = await captureIn(vault, contextOf());
      const tree = await vault.openTree(captured.snapshot);
      const [table] = contents?.tables(captured) ?? [];
      if (table === undefined) throw new Error("no table");
      const parts: Uint8Array[] = [];
      for await (const part of contents?.rows(tree, captured, { table, format: "csv", signal }) ?? []) parts.push(part);
      expect(Buffer.concat(parts).toString("hex")).toBe(Buffer.from("a\nA\xffB\n", "latin1").toString("hex"));
    });
  });

  test("adds little to a vault that has an older state of its database", async () => {
    runSql(
      path,
      "create table t (id integer primary key, body blob); with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000) insert into t select i, randomblob(1000) from n",
    );
    await withVault(async (vault) => {
      const first = await captureIn(vault, contextOf());
      runSql(path, "insert into t values (null, randomblob(1000))");
      const second = await captureIn(vault, contextOf());
      expect(first.newBytes).toBeGreaterThan(36_000_000);
      // Its first page, its last one and one between them change; each lies in a piece of the vault of up to 8 MB, as chance has it.
      expect(second.newBytes).toBeLessThan(first.newBytes / 2);
    });
  });
});

describe("a question to databases", () => {
  const check = driverRegistry.checks.get("sql");
  const ask = async (context: DriverContext, sql: string) =>
    check?.run(createTestCheckContext({ component: "db", outputs: await stableOutputs(context) }), { sql });

  test("is answered by the sql check that PostgreSQL has too, and changes nothing", async () => {
    createLedger(path, "wal");
    const context = contextOf();
    expect(await ask(context, "select count(*) = 100 from accounts")).toMatchObject({ status: "passed", found: "1" });
    expect(await ask(context, "select count(*) = 99 from accounts")).toMatchObject({ status: "failed", found: "0" });
    expect(await ask(context, "select 1, 2")).toMatchObject({ status: "failed", found: "2 columns, one is expected" });
    expect(await ask(context, "select id from accounts")).toMatchObject({
      status: "failed",
      found: "2 rows, one is expected",
    });
    expect(await ask(context, "select 1 from nowhere")).toMatchObject({
      status: "failed",
      found: expect.stringContaining("no such table: nowhere") as string,
    });
    expect(await ask(context, "delete from accounts returning 1")).toMatchObject({ status: "failed" });
    expect(queryRows(path, "select count(*) as n from accounts")).toEqual([{ n: 100 }]);
    const endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
    const limited = createTestCheckContext({
      component: "db",
      outputs: await stableOutputs(context),
      timeoutMs: 1_500,
    });
    expect(await check?.run(limited, { sql: endless })).toMatchObject({
      status: "failed",
      found: "no answer in 1.5 s",
    });
    await expect(check?.run(createTestCheckContext(), { sql: "select 1" })).rejects.toMatchObject({
      code: "config.invalid",
      message: "a sql check belongs to a component of type postgres or mariadb or sqlite",
    });
  });

  test("may join the databases of a folder", async () => {
    const data = join(folder.path, "data");
    await mkdir(data);
    for (const name of ["a.db", "b.sqlite"]) createLedger(join(data, name), "wal");
    runSql(join(data, "b.sqlite"), "create table only_here (v); insert into only_here values (1)");
    const context = contextOf({ path: data, databases: ["*.db", "*.sqlite"] });
    expect(
      await ask(
        context,
        "select (select count(*) from a.accounts) = (select count(*) from b.accounts) and (select v from only_here)",
      ),
    ).toMatchObject({ status: "passed" });
    expect(await collect(invariantValues?.(context, "select id from b.accounts where id <= 3", null))).toBe(
      "1\n2\n3\n",
    );
  });

  test("gives the values of an invariant, one a line, without nulls", async () => {
    runSql(path, "create table t (v); insert into t values ('a'), (null), ('two\nlines'), (7), (x'ff')");
    expect(await collect(invariantValues?.(contextOf(), "select v from t", null))).toBe("a\ntwo\\nlines\n7\n\\xff\n");
    await expect(collect(invariantValues?.(contextOf(), "select v, v from t", null))).rejects.toMatchObject({
      code: "config.invalid",
    });
    expect(await stableOutputs(contextOf({ path: join(folder.path, "a b#.db") }))).toMatchObject({
      url: { value: `file://${folder.path}/a%20b%23.db`, secret: false },
    });
  });
});
