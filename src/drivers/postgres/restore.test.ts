/** Restore beside the live database, compared with the source by the stock pg_dump. */
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { describeOnReleases } from "../../testing/describe-on-releases.ts";
import { fillNastyDatabase } from "../../testing/nasty-database.ts";
import { captureInto, postgresContext, readContent } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";
import { postgresInstances } from "./instances.ts";

describeOnReleases("a restore beside the live database", (binaries) => {
  /** The size is for the speed of the load, which is one release's to show. */
  const rows = binaries === undefined ? 100_000 : 5_000;
  let server: PostgresServer;
  let folder: TestFolder;
  const runUid = "0b8f2f3e-1111-4222-8333-444455556666";

  beforeAll(async () => {
    server = await startPostgresServer({ binaries });
    await query(server.url("postgres"), "create database shop");
    await withClient(server.url("shop"), (client) => fillNastyDatabase(client, "shop", rows));
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    folder = await createTestFolder();
  });
  afterEach(() => folder.remove());

  const target = { name: "shop_r7", run: 7, runUid };

  const databaseState = `
  select shobj_description(oid, 'pg_database') as comment, (select array_agg(a::text order by a::text) from unnest(datacl) a) as grants, datconnlimit as "limit", datallowconn as open,
         (select array_agg(setrole || ' ' || c order by setrole, c) from pg_db_role_setting, unnest(setconfig) c where setdatabase = oid) as settings
    from pg_database where datname = `;

  test("a restored database is the captured one, in schema, rows, large objects, settings and grants", async () => {
    const context = postgresContext(server, "shop", folder.path);
    const vault = join(folder.path, "vault");
    const captured = await captureInto(context, vault);
    expect(await postgresInstances.inspect(context, target)).toBe("absent");
    const report = await postgresInstances.restore(context, target, createDirectoryReader(vault), captured);
    expect(report).toMatchObject({ summary: `17 tables, ${(rows + 1_530).toLocaleString("en")} rows`, warnings: [] });
    expect(await postgresInstances.inspect(context, target)).toBe("done");
    expect(await postgresInstances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);

    // The server words some expressions anew when it reads them again, so the measure is a copy by the stock programs.
    await query(server.url("postgres"), "create database stock template template0");
    const tree = join(vault, "db");
    await execa(`${server.binaries}/pg_restore`, ["--exit-on-error", "-j2", "-d", server.url("stock"), tree]);
    const [source, stock, ours] = [
      await readContent(server, "shop"),
      await readContent(server, "stock"),
      await readContent(server, "shop_r7"),
    ];
    expect(ours.rows).toEqual(source.rows);
    expect(stock.rows).toEqual(source.rows);
    expect(ours.schema).toEqual(stock.schema);

    const [before] = await query(server.url("postgres"), `${databaseState} 'shop'`);
    const [after] = await query(server.url("postgres"), `${databaseState} 'shop_r7'`);
    const mark = expect.stringMatching(
      /^It's the shop: "live"\nrefloat run=7 uid=0b8f2f3e-\S+ state=whole from=\S+ at=\d+@\d+\/\d+$/,
    );
    expect(after).toEqual({ ...before, comment: mark });

    await postgresInstances.drop(context, target);
    await postgresInstances.drop(context, target);
    expect(await postgresInstances.inspect(context, target)).toBe("absent");
    await query(server.url("postgres"), "drop database stock");
  });
});
