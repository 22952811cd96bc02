/** Single rows of one database of a whole cluster, from its physical capture and its log, into the running cluster: shown, put back, taken back. */
import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareCluster, laterOnPostgres, whileReceiving } from "./support/received-log.ts";

let folder: string;
let temporary: string;
let server: PostgresServer;
let refloat: RefloatProgram;
let point: string;
/** After the last good order, before the bad statement. */
let wanted: string;

const environment = () => ({ TMPDIR: temporary });
const sql = <Row = Record<string, unknown>>(text: string): Promise<Row[]> => query<Row>(server.url("bench"), text);
const one = async (expression: string): Promise<unknown> =>
  (await sql<{ v: unknown }>(`select ${expression} as v`))[0]?.v;
const foldersLeft = async () => (await readdir(temporary)).filter((name) => name.startsWith(".excerpt."));
const mend = (...args: readonly string[]) => refloat.run(["mend", "shop", ...args], environment());
const data = async (...args: readonly string[]) =>
  resultEnvelopeSchema("mend").parse(
    (await refloat.succeed(["mend", "shop", ...args, "--json"], environment())).lines.at(-1),
  ).data;

const assess = async (...args: readonly string[]) =>
  resultEnvelopeSchema("assess").parse(
    (await refloat.succeed(["assess", "shop", ...args, "--json"], environment())).lines.at(-1),
  ).data;
const cure = (command: string, ...more: readonly string[]) =>
  refloat.succeed([...command.split(" ").slice(1), ...more], environment());

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-mend-cluster-"));
  await chmod(folder, 0o755);
  temporary = join(folder, "tmp");
  await mkdir(temporary);
  server = await startPostgresServer({ settings: { max_slot_wal_keep_size: "10GB" } });
  await query(server.url("postgres"), "create database bench");
  await query(server.url("postgres"), "create database other");
  await sql(`
    create type mood as enum ('sad', 'glad');
    create schema audit;
    create table customers (id int primary key, name text);
    create table "Orders" (id bigint generated always as identity primary key, customer int not null references customers, note text);
    create table products (sku text primary key, price numeric(10,2), mood mood, doc jsonb, raw bytea, twice numeric generated always as (price * 2) stored);
    create table audit.log (id serial primary key, what text);
    create table days (day date primary key, n int) partition by range (day);
    create table days_2026 partition of days for values from ('2026-01-01') to ('2027-01-01');
    create table gone (id int primary key);
    create role reader;
    create table teams (id int primary key);
    create table tasks (id serial primary key, team int references teams, what text not null unique, at timestamptz default now());
    create index tasks_at on tasks (at) where what > '';
    create trigger tasks_kept before update on tasks for each row execute function pg_catalog.suppress_redundant_updates_trigger();
    grant select, update on tasks to reader;
    comment on column tasks.what is 'it''s a task';
    create table answers (id int primary key, task int references tasks);
    create view open_tasks as select id from tasks;
    create function note() returns trigger language plpgsql as $$ begin insert into audit.log (what) values (new.sku); return new; end $$;
    create trigger noted after update on products for each row execute function note();
    insert into customers select n, 'c' || n from generate_series(1, 50) n;
    insert into teams select n from generate_series(1, 30) n;
    insert into tasks (team, what) select n, 'task ' || n from generate_series(1, 30) n;
    insert into "Orders" (customer, note) select 1 + n % 50, E'note\\t' || n from generate_series(1, 500) n;
    insert into products select 'sku' || n, n + 0.10, 'glad', '{"a": 1}', '\\x00ff' from generate_series(1, 800) n;
    insert into days values ('2026-05-05', 5);
    insert into gone values (1), (2), (3)`);
  await declareCluster(folder, server);
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  await whileReceiving(refloat, async (receivedUntil) => {
    const captured = await refloat.succeed(["capture", "shop", "--json"]);
    point = (captured.lines.at(-1) as { data: { id: string } }).data.id.slice(0, 8);
    await sql(`insert into customers values (60, 'late'); insert into "Orders" (customer, note) values (60, 'late')`);
    wanted = await laterOnPostgres(server);
    await sql(`delete from "Orders" where customer in (7, 60); delete from customers where id in (7, 60)`);
    await receivedUntil(await laterOnPostgres(server));
  });
}, 300_000);

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

it(
  "puts one damaged column back from the physical capture, and takes it back again",
  { timeout: 300_000 },
  async () => {
    const digest = "(select md5(string_agg(p::text, ',' order by sku)) from products p where sku <> 'new')";
    const before = await one(digest);
    await sql("update products set price = 0; insert into products (sku, price) values ('new', 5); truncate audit.log");
    const damaged = await one(digest);
    const shown = await mend("--at", point, "--only", "db:bench/products", "--no-apply");
    expect(shown).toMatchObject({ exit: 0 });
    const told = shown.stdout.replaceAll(/\s+/g, " ");
    expect(told).toContain(`Mend shop, db, database bench, from point ${point}`);
    expect(told).toContain("products: 800 differ, 1 newer, left alone, 0 equal");
    expect(told).toContain("800 rows get back price (0.00 in all of them)");
    expect(told).toContain("noted on products, after update");
    expect(await one(digest)).toBe(damaged);
    const done = await data("--at", point, "--only", "db:bench/public.products", "--no-triggers", "--yes");
    expect(done).toMatchObject({ applied: true, database: "bench" });
    expect(await one(digest)).toBe(before);
    expect(await one("(select count(*)::int from audit.log)")).toBe(0);
    await refloat.succeed(["mend", "shop", "--undo", done.digest, "--yes"], environment());
    expect(await one(digest)).toBe(damaged);
    expect((await mend("--undo", done.digest, "--yes")).stderr).toContain("it was taken back already");
    expect(await foldersLeft()).toEqual([]);
  },
);

it(
  "brings deleted rows back with what they refer to: of the point, and as of a second after it by the log",
  { timeout: 300_000 },
  async () => {
    const ofPoint = await data("--at", point, "--only", "db:bench/Orders", "--rows", "gone", "--no-apply");
    expect(ofPoint.tables.map(({ name, asked, puts }) => [name, asked, puts.gone])).toEqual([
      ["customers", false, 1],
      ['"Orders"', true, 10],
    ]);
    const ofSecond = await data("--at", wanted, "--only", "db:bench/Orders", "--rows", "gone", "--yes");
    expect(ofSecond.source).toMatch(new RegExp(`^point ${point} and the log up to 20`));
    expect(ofSecond.tables.map(({ name, puts }) => [name, puts.gone])).toEqual([
      ["customers", 2],
      ['"Orders"', 11],
    ]);
    expect(await one(`(select count(*)::int from "Orders")`)).toBe(501);
    expect(await one("(select name from customers where id = 60)")).toBe("late");
    expect(await foldersLeft()).toEqual([]);
  },
);

it(
  "makes a table that was dropped again, with all that was its own, and drops it again",
  { timeout: 300_000 },
  async () => {
    const shape = async () =>
      sql(`select (select md5(string_agg(t::text, ',' order by id)) from tasks t) as rows,
      (select string_agg(indexdef, '; ' order by indexdef) from pg_indexes where tablename = 'tasks') as indexes,
      (select string_agg(pg_get_constraintdef(oid), '; ' order by conname) from pg_constraint where conrelid = 'tasks'::regclass) as constraints,
      (select string_agg(pg_get_triggerdef(oid), '; ') from pg_trigger where tgrelid = 'tasks'::regclass and not tgisinternal) as triggers,
      has_table_privilege('reader', 'tasks', 'update') as granted, col_description('tasks'::regclass, 3) as comment`);
    const before = await shape();
    await sql("drop table tasks cascade");
    const done = await data("--at", point, "--only", "db:bench/tasks", "--yes");
    expect(done.tables).toMatchObject([{ name: "tasks", made: true, puts: { gone: 30, changed: 0 } }]);
    expect(done.warnings).toEqual([
      "lost with tasks and not put back: foreign key answers answers_task_fkey and view open_tasks",
    ]);
    expect(await shape()).toEqual(before);
    expect(await one("nextval('tasks_id_seq')::int")).toBe(31);
    await refloat.succeed(["mend", "shop", "--undo", done.digest, "--yes"], environment());
    expect(await one("to_regclass('tasks')")).toBeNull();
    await data("--at", point, "--only", "db:bench/tasks", "--yes");
    expect(await shape()).toEqual(before);
    expect(await foldersLeft()).toEqual([]);
  },
);

it("says what cannot be put back, and leaves nothing behind", { timeout: 300_000 }, async () => {
  await sql("drop table gone; alter table customers alter column name type varchar(5)");
  for (const [only, words] of [
    ["db:bench", "names no table of a database"],
    ["db:orders", "names no table of a database"],
    ["db:bench/nothing", "database bench has no table nothing then"],
    ["db:bench/custmers", 'did you mean "public.customers"?'],
    ["db:bench/days", "its rows lie in its partitions"],
    ["db:bench/customers,db:postgres/x", "one transaction is of one database"],
    ["db:nosuch/orders", "nosuch"],
    ["db:bench/customers", "name was text and is character varying(5) now"],
  ] as const) {
    const refused = await mend("--at", point, "--only", only);
    expect(refused.exit, `${only}: ${refused.stdout}`).not.toBe(0);
    expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain(words);
  }
  const part = await data("--at", point, "--only", "db:bench/days_2026", "--no-apply");
  expect(part.tables[0]).toMatchObject({ equal: 1, changed: 0, gone: 0 });
  expect(await foldersLeft()).toEqual([]);
});

it("assesses tables that are named, and each cure that it offers mends", { timeout: 300_000 }, async () => {
  const only = ["products", "customers", "gone", "days_2026"].map((name) => `db:bench/${name}`).join(",");
  const found = await assess("--against", point, "--only", only);
  const [db] = found.components;
  expect(db).toMatchObject({ component: "db", state: "changed", damaged: true, unseen: null, notes: [] });
  expect(db?.tables.map(({ name, kind, before, signs, unseen }) => [name, kind, before, signs, unseen])).toEqual([
    ["bench/products", "changed", 800, ["price is 0.00 in all of 800 changed rows"], null],
    ["bench/customers", "changed", null, [], expect.stringContaining("name was text and is character varying(5) now")],
    ["bench/gone", "removed", 3, ["the table is gone"], null],
  ]);
  const [mended, made, taken, recovered] = found.cures;
  expect(mended).toMatchObject({
    command: `refloat mend shop --at ${point} --only db:bench/products --rows changed --columns price`,
    loses: [],
  });
  expect(made).toMatchObject({
    kind: "mend",
    words: "make bench/gone again with 3 rows",
    command: `refloat mend shop --at ${point} --only db:bench/gone`,
  });
  expect(taken?.command).toBe(`refloat extract ${point}:db:bench/gone --dump --to restored-gone.dump`);
  expect(recovered?.kind).toBe("recover");
  await cure(mended?.command ?? "", "--yes");
  await cure(made?.command ?? "", "--yes");
  expect(await one("(select count(*)::int from gone)")).toBe(3);
  await sql("drop table gone");
  await cure(taken?.command ?? "");
  expect(await readdir(folder)).toContain("restored-gone.dump");
  expect(await assess("--against", point, "--only", "db:bench/products")).toMatchObject({
    cures: [],
    components: [{ damaged: false, tables: [{ rows: { changed: 0, newer: 1 } }] }],
  });
  expect(await foldersLeft()).toEqual([]);
});

it("assesses as of a second after the point, and offers rows of that second", { timeout: 300_000 }, async () => {
  await sql(`delete from "Orders" where customer = 60`);
  const found = await assess("--against", wanted, "--only", "db:bench/Orders");
  expect(found.components[0]?.notes.join()).toMatch(
    new RegExp(`^it was compared with point ${point} and the log up to 20`),
  );
  expect(found.components[0]?.tables).toMatchObject([{ name: "bench/Orders", signs: ["1 of 501 rows gone"] }]);
  const [mended] = found.cures;
  expect(mended?.command).toBe(`refloat mend shop --at ${wanted} --only db:bench/Orders --rows gone`);
  await cure(mended?.command ?? "", "--yes");
  expect(await one(`(select count(*)::int from "Orders")`)).toBe(501);
});

it(
  "tells of a cluster what is gone and how to look closer, and compares a database whole",
  { timeout: 300_000 },
  async () => {
    await query(server.url("postgres"), "drop database other");
    const shallow = await assess("--against", point);
    expect(shallow.components).toMatchObject([
      {
        damaged: true,
        tables: [{ name: "other", signs: ["the database is gone"] }],
        notes: [expect.stringMatching(/^about [\d,]+ rows written in bench, .* since the point$/)],
        unseen: expect.stringMatching(
          / name tables, --only db:\w+\/TABLE, or a database, --only db:\w+, of which all \(.*B\) is read$/,
        ),
      },
    ]);
    expect(shallow.cures[0]?.command).toBe(`refloat extract ${point}:db:other --dump --to restored-other.dump`);
    const screen = (await refloat.run(["assess", "shop", "--against", point], environment())).stdout.replaceAll(
      /\s+/g,
      " ",
    );
    expect(screen).toContain("UNSEEN db: no rows were compared");
    expect(screen).toContain("NOTE db: about");

    await sql("update products set price = 1; create table added (id int)");
    const whole = await assess("--against", point, "--only", "db:bench");
    expect(whole.components[0]?.tables.map(({ name, kind, signs }) => [name, kind, signs])).toEqual([
      ["bench/Orders", "changed", []],
      ["bench/added", "added", []],
      ["bench/audit.log", "changed", []],
      ["bench/customers", "changed", []],
      ["bench/gone", "removed", ["the table is gone"]],
      ["bench/products", "changed", ["price is 1.00 in all of 800 changed rows"]],
    ]);
    expect(whole.components[0]?.tables.find(({ name }) => name === "bench/gone")?.before).toBe(3);
    expect(whole.cures.slice(0, 2).map(({ words }) => words)).toEqual([
      "make bench/gone again with 3 rows",
      "put 800 rows back: price of bench/products",
    ]);
    for (const [only, words] of [
      ["db:bench/nothing", "database bench has no table nothing then"],
      ["db:nosuch", "the cluster has no database nosuch then"],
      ["db:bench/audit.", "names no table and no database"],
      ["db:bench/days", "its rows lie in its partitions"],
      ["nosuch:bench/orders", "neither side has a component"],
    ] as const) {
      const refused = await refloat.run(["assess", "shop", "--against", point, "--only", only], environment());
      expect(refused.exit, `${only}: ${refused.stdout}`).not.toBe(0);
      expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain(words);
    }
    expect(await foldersLeft()).toEqual([]);
  },
);
