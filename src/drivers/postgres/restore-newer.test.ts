/** Restore into a server of another major version than the captured one: into a newer one, and never into an older one. */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { fillNastyDatabase } from "../../testing/nasty-database.ts";
import { newerRelease, newerReleases } from "../../testing/newer-postgres.ts";
import { captureInto, postgresContext, readContent } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";
import { postgresInstances } from "./instances.ts";

const target = { name: "shop_r7", run: 7, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };

/** Since 17. */
const novelties = `
  create table measured (id bigint generated always as identity, at date not null, primary key (id, at)) partition by range (at);
  create table measured_2024 partition of measured for values from ('2024-01-01') to ('2025-01-01');
  insert into measured (at) select date '2024-01-01' + n from generate_series(1, 100) n;
  grant maintain on measured to keeper;
  do $$ begin for n in 1..300 loop perform lo_create(0); end loop; end $$`;

const noveltiesOf18 = `
  create extension btree_gist;
  create table prices (id int, net int, gross int generated always as (net * 2) virtual, during daterange,
                       primary key (id, during without overlaps));
  create table sold (price int, during daterange, foreign key (price, period during) references prices (id, period during));
  insert into prices values (1, 5, default, '[2024-01-01,2025-01-01)'), (1, 6, default, '[2025-01-01,2026-01-01)');
  insert into sold values (1, '[2024-06-01,2025-06-01)');
  create table late (a int, b int);
  insert into late values (null, -1);
  alter table late add constraint a_given not null a not valid;
  alter table late add constraint b_hoped check (b > 0) not enforced`;

let older: PostgresServer;
let folder: TestFolder;

beforeAll(async () => {
  older = await startPostgresServer();
  await query(older.url("postgres"), "create database shop");
  await withClient(older.url("shop"), (client) => fillNastyDatabase(client, "shop", 2_000));
});
afterAll(() => older.stop());
beforeEach(async () => {
  folder = await createTestFolder();
});
afterEach(() => folder.remove());

describe.each(newerReleases.map(({ major }) => newerRelease(major)))("to $name", ({ name, binaries, missing }) => {
  describe.skipIf(missing)("from the installed PostgreSQL", () => {
    let server: PostgresServer;
    beforeAll(async () => {
      server = await startPostgresServer({ binaries });
      await query(server.url("postgres"), "create database shop");
    });
    afterAll(() => server.stop());

    test("an older point becomes a database of the newer server, with all of its rows, and passes its checks", async () => {
      const vault = join(folder.path, "vault");
      const captured = await captureInto(postgresContext(older, "shop", folder.path), vault);
      const context = postgresContext(server, "shop", folder.path);
      const { warnings } = await postgresInstances.restore(context, target, createDirectoryReader(vault), captured);
      // Roles that another server does not have are made; extensions have their own versions there.
      expect(warnings.filter((warning) => !/^(?:role|extension) /.test(warning))).toEqual([]);
      const [before, after] = [await readContent(older, "shop"), await readContent(server, "shop_r7")];
      const rowsOf = ({ rows }: typeof before) =>
        Object.fromEntries(Object.entries(rows).filter(([unit]) => !unit.startsWith("blobs")));
      expect(rowsOf(after)).toEqual(rowsOf(before));
      // A newer server words the queries of views in its own way.
      expect(await postgresInstances.validate(context, target, captured.facts)).toMatchObject([
        { status: "skipped", subject: "facts: schema: materialized view" },
        { status: "skipped", subject: "facts: schema: view" },
        { status: "passed", found: "17 tables and 3,530 rows as captured" },
      ]);
    });

    test("a newer point is refused by the older server before anything is made", async () => {
      const vault = join(folder.path, "vault");
      const captured = await captureInto(postgresContext(server, "shop_r7", folder.path), vault);
      const context = postgresContext(older, "shop", folder.path);
      await expect(
        postgresInstances.restore(context, target, createDirectoryReader(vault), captured),
      ).rejects.toMatchObject({
        code: "program.version",
        message: expect.stringMatching(/^the server is PostgreSQL [\d.]+, the point comes from 1[78]\.\d+/),
      });
      expect(await postgresInstances.inspect(context, target)).toBe("absent");
    });

    test("a membership whose rights are limited comes back as limited, and one by several hands comes back once", async () => {
      const vault = join(folder.path, "vault");
      const admin = server.url("postgres");
      await query(admin, "create database limited");
      await query(
        server.url("limited"),
        `create role team; create role plain; create role other createrole; create role limited inherit;
         grant team to limited with inherit false, set false; grant plain to limited; grant plain to other with admin true;
         set role other; grant plain to limited; reset role;
         create table of_limited (); alter table of_limited owner to limited`,
      );
      const membershipsSql = `
        select g.rolname as name, inherit_option as inherit, set_option as set from pg_auth_members m
          join pg_roles g on g.oid = m.roleid where m.member = 'limited'::regrole order by 1, 2`;
      const context = postgresContext(server, "limited", folder.path);
      const captured = await captureInto(context, vault);
      expect(await query(admin, membershipsSql)).toHaveLength(3);
      await query(server.url("limited"), "drop table of_limited; drop owned by limited cascade");
      await query(admin, "drop role limited");
      const { warnings } = await postgresInstances.restore(
        context,
        { ...target, name: "limited_r7" },
        createDirectoryReader(vault),
        captured,
      );
      expect(warnings).toEqual(['role "limited" was missing and was created']);
      expect(await query(admin, membershipsSql)).toEqual([
        { name: "plain", inherit: true, set: true },
        { name: "team", inherit: false, set: false },
      ]);
    });

    test("what only newer servers know comes back: a built-in locale, MAINTAIN, identity of partitions and, of 18, virtual columns and keys of time", async () => {
      const vault = join(folder.path, "vault");
      const admin = server.url("postgres");
      await query(
        admin,
        "create database novel template template0 locale_provider builtin builtin_locale 'C.UTF-8' lc_collate 'C' lc_ctype 'C'",
      );
      await query(admin, "create role keeper");
      await query(server.url("novel"), novelties);
      if (name.endsWith("18")) await query(server.url("novel"), noveltiesOf18);
      const context = postgresContext(server, "novel", folder.path);
      const captured = await captureInto(context, vault);
      const restored = { ...target, name: "novel_r7" };
      const { warnings } = await postgresInstances.restore(context, restored, createDirectoryReader(vault), captured);
      expect(warnings).toEqual([]);
      expect(await readContent(server, "novel_r7")).toEqual(await readContent(server, "novel"));
      const locales = await query(
        admin,
        "select datlocprovider as provider, datlocale as locale from pg_database where datname in ('novel', 'novel_r7')",
      );
      expect(locales).toEqual([
        { provider: "b", locale: "C.UTF-8" },
        { provider: "b", locale: "C.UTF-8" },
      ]);
    });
  });
});
