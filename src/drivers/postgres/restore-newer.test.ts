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

describe.each(newerReleases.map(({ major }) => newerRelease(major)))("to $name", ({ binaries, missing }) => {
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
        Object.fromEntries(Object.entries(rows).filter(([name]) => !name.startsWith("blobs")));
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
  });
});
