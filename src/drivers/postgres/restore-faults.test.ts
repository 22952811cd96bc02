/** Restores that cannot be, that break off, that are killed: what is left, what is said, and that the next attempt works. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { execa } from "execa";
import { rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { SnapshotReader } from "../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { captureInto, postgresContext, readContent } from "../../testing/postgres-bench.ts";
import type { PostgresOrder } from "../../testing/postgres-child.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";
import { creationSign } from "./instance-mark.ts";
import { postgresInstances } from "./instances.ts";

let server: PostgresServer;
let folder: TestFolder;
let captured: CapturedComponent;
let vault: string;
const target = { name: "shop_r3", run: 3, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };
const stranger = { ...target, runUid: "ffffffff-1111-4222-8333-444455556666" };

const schema = `
  create role keeper login password 'old password';
  create role helper nologin; grant helper to keeper;
  create table big (id serial primary key, filler text);
  insert into big (filler) select repeat('x', 200) from generate_series(1, 20000);
  create index big_filler on big (filler, id);
  create table small (id int primary key, big int references big);
  insert into small values (1, 1);
  alter table small owner to keeper;
  create table blobs (blob oid); insert into blobs select lo_from_bytea(0, 'content') from generate_series(1, 3);
  grant select on big to helper`;

beforeAll(async () => {
  server = await startPostgresServer();
  await query(server.url("postgres"), "create database shop");
  await query(server.url("shop"), schema);
});
afterAll(() => server.stop());

const context = () => postgresContext(server, "shop", folder.path);
const reader = (): SnapshotReader => createDirectoryReader(vault);
const restore = (source = reader(), from = captured, instance = target) =>
  postgresInstances.restore(context(), instance, source, from);
const inspect = (instance = target) => postgresInstances.inspect(context(), instance);
const databases = async () =>
  (
    await query(server.url("postgres"), "select datname as name from pg_database where datname like 'shop%' order by 1")
  ).map(({ name }) => name);

beforeEach(async () => {
  folder = await createTestFolder();
  vault = join(folder.path, "vault");
  captured = await captureInto(context(), vault);
});
afterEach(async () => {
  await query(server.url("postgres"), "drop database if exists shop_r3 with (force)");
  await folder.remove();
});

const withFacts = (changes: Partial<CapturedComponent["facts"]>): CapturedComponent => ({
  ...captured,
  facts: { ...captured.facts, ...changes },
});

describe("refused before anything is made:", () => {
  test("a point of a newer major version", async () => {
    const newer = withFacts({ versions: { server: "99.1", pg_dump: "99.1" } });
    await expect(restore(reader(), newer)).rejects.toMatchObject({
      code: "program.version",
      message: expect.stringMatching(/the server is PostgreSQL 15\.\d+, the point comes from 99\.1/),
    });
    expect(await databases()).toEqual(["shop"]);
  });

  test("extensions that the server lacks", async () => {
    const detail = structuredClone(captured.facts.detail) as unknown as { database: { extensions: object[] } };
    detail.database.extensions.push({ name: "postgis", version: "3.4", schema: "public" });
    const more = withFacts({ detail: detail as unknown as CapturedComponent["facts"]["detail"] });
    await expect(restore(reader(), more)).rejects.toMatchObject({
      code: "program.missing",
      message: expect.stringMatching(/postgis/),
    });
    expect(await databases()).toEqual(["shop"]);
  });

  test("a name that somebody else's database has; it is not dropped either", async () => {
    await query(server.url("postgres"), "create database shop_r3");
    await expect(inspect()).rejects.toMatchObject({ code: "instance.exists" });
    await expect(postgresInstances.drop(context(), target)).rejects.toMatchObject({ code: "instance.exists" });
    await query(server.url("postgres"), "drop database shop_r3");
    await restore();
    await expect(inspect(stranger)).rejects.toMatchObject({ code: "instance.exists" });
    await expect(postgresInstances.drop(context(), stranger)).rejects.toMatchObject({ code: "instance.exists" });
    expect(await inspect()).toBe("done");
  });
});

describe("broken off:", () => {
  const isPartial = async (): Promise<void> => {
    expect(await inspect()).toBe("partial");
    const rows = await query(server.url("shop_r3"), "select count(*)::int as n from big");
    expect(rows).toEqual([{ n: 0 }]);
    await postgresInstances.drop(context(), target);
    expect(await inspect()).toBe("absent");
  };
  const bigFile = (): string => {
    const labels = captured.facts.detail["labels"] as Record<string, string>;
    const [dumpId] = Object.entries(labels).find(([, label]) => label === "big") ?? [];
    return `/db/${dumpId}.dat`;
  };

  test("by a vault that turns out to be damaged in the middle of a table", async () => {
    const damage = new Error("blob 1234 is damaged");
    const source: SnapshotReader = {
      ...reader(),
      stream: async function* (path, range) {
        let left = 1_000_000;
        for await (const chunk of reader().stream(path, range)) {
          left -= chunk.length;
          if (left < 0) throw damage;
          yield chunk;
        }
      },
    };
    await expect(restore(source)).rejects.toBe(damage);
    await isPartial();
  });

  test("by a stream that ends early, even at the end of a row", async () => {
    const content = Buffer.from(await reader().read(bigFile()));
    await truncate(join(vault, bigFile()), content.indexOf("\n", 1_000_000) + 1);
    await expect(restore()).rejects.toMatchObject({
      code: "vault.damaged",
      message: expect.stringMatching(/its end is missing/),
    });
    await isPartial();
  });

  test("by rows that are fewer than the point says", async () => {
    const content = Buffer.from(await reader().read(bigFile()));
    await writeFile(join(vault, bigFile()), content.subarray(content.indexOf("\n") + 1));
    await expect(restore()).rejects.toMatchObject({
      code: "target.failed",
      message: '"public"."big" took 19,999 rows, the point has 20,000',
    });
    await isPartial();
  });

  test("by rows that the table refuses", async () => {
    await writeFile(join(vault, bigFile()), "not a number\tx\n\\.\n\n\n");
    await expect(restore()).rejects.toMatchObject({
      code: "target.failed",
      message: expect.stringMatching(/invalid input syntax for type integer.*COPY big, line 1/),
    });
    await isPartial();
  });

  test("by an abort", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const source: SnapshotReader = {
      ...reader(),
      stream: (path, range) => {
        if (path === bigFile()) stop.abort(reason);
        return reader().stream(path, range);
      },
    };
    const aborted = postgresContext(server, "shop", folder.path, { signal: stop.signal });
    await expect(postgresInstances.restore(aborted, target, source, captured)).rejects.toBe(reason);
    await isPartial();
  });

  test("between the creation of the database and its mark", async () => {
    await query(server.url("postgres"), `create database shop_r3 connection limit ${creationSign(target.runUid)}`);
    expect(await inspect()).toBe("partial");
    await expect(inspect(stranger)).rejects.toMatchObject({ code: "instance.exists" });
    await postgresInstances.drop(context(), target);
    expect(await inspect()).toBe("absent");
  });

  const killAt = async (sql: string): Promise<void> => {
    const order: PostgresOrder = {
      act: "restore",
      url: server.url("shop"),
      folder: folder.path,
      marker: "refloat/3/restore:db/1",
      target,
      vault,
      captured,
    };
    // A restore of so few rows can pass through a moment between two looks: then it is made again.
    for (let tries = 0; tries < 10; tries += 1) {
      const child = fork(new URL("../../testing/postgres-child.ts", import.meta.url), {
        stdio: "inherit",
        env: { ...process.env, ORDER: JSON.stringify(order) },
      });
      const exited = once(child, "exit");
      const seen = await withClient(server.url("postgres"), async (client) => {
        while (child.exitCode === null) if ((await client.query(sql)).rows.length > 0) return true;
        return false;
      });
      child.kill("SIGKILL");
      await exited;
      if (seen) return;
      await postgresInstances.drop(context(), target);
    }
    throw new Error("the restore was never seen at the moment in which it was to be killed");
  };

  test.each([
    ["just after the database was made", "select from pg_database where datname = 'shop_r3'"],
    ["while rows go in", "select from pg_stat_activity where datname = 'shop_r3' and query ilike 'copy %'"],
    [
      "while an index is built or keys are checked",
      "select from pg_stat_activity where datname = 'shop_r3' and query ~* '(create index|add constraint)'",
    ],
  ])("by SIGKILL %s; the next attempt is whole", async (_when, sql) => {
    await killAt(sql);
    // A restore of so few rows may end between the look and the kill.
    expect(["partial", "done"]).toContain(await inspect());
    await postgresInstances.drop(context(), target);
    const next = postgresContext(server, "shop", folder.path, { marker: "refloat/3/restore:db/2" });
    await postgresInstances.restore(next, target, reader(), captured);
    expect(await inspect()).toBe("done");
    expect(await readContent(server, "shop_r3")).toEqual(await readContent(server, "shop"));
    const left = "select pid from pg_stat_activity where application_name like 'refloat/3/restore:db/1%'";
    expect(await query(server.url("postgres"), left)).toEqual([]);
  });
});

describe("into another cluster", () => {
  let other: PostgresServer;
  beforeAll(async () => {
    other = await startPostgresServer();
  });
  afterAll(() => other.stop());
  afterEach(() => query(other.url("postgres"), "drop database if exists shop_r3 with (force)"));

  const there = () => postgresContext(other, "shop", folder.path);

  test("missing roles are made without a password, present ones stay as they are", async () => {
    await query(other.url("postgres"), "create role helper login createdb connection limit 3 password 'new password'");
    const before = await query(other.url("postgres"), "select * from pg_authid where rolname = 'helper'");
    const report = await postgresInstances.restore(there(), target, reader(), captured);
    expect(report.warnings).toEqual(['role "keeper" was missing and was created without a password']);
    expect(await query(other.url("postgres"), "select * from pg_authid where rolname = 'helper'")).toEqual(before);
    expect(
      await query(
        other.url("postgres"),
        `select rolcanlogin, rolpassword, pg_has_role('keeper', 'helper', 'member') as member from pg_authid where rolname = 'keeper'`,
      ),
    ).toEqual([{ rolcanlogin: true, rolpassword: null, member: true }]);
    expect(await readContent(other, "shop_r3")).toEqual(await readContent(server, "shop"));
    expect(await postgresInstances.validate(there(), target, captured.facts)).toMatchObject([{ status: "passed" }]);
  });
});

/** A mount of its own is the only disk that can be filled without harm to others. */
describe.skipIf(process.getuid?.() !== 0)("onto a full disk", () => {
  test("the disk is said to be full, and what was made can be dropped when there is room again", async () => {
    const disk = join(folder.path, "disk");
    await execa("chmod", ["a+x", folder.path]);
    await execa("mkdir", [disk]);
    await execa("mount", ["-t", "tmpfs", "-o", "size=256m,mode=0777", "tmpfs", disk]);
    let small: PostgresServer | undefined;
    try {
      small = await startPostgresServer({
        directory: join(disk, "server"),
        settings: { wal_level: "minimal", max_wal_senders: 0, min_wal_size: "80MB" },
      });
      // Segments of the log for later use: a server that cannot write its log stops altogether, which is another fault.
      await query(
        small.url("postgres"),
        "create table junk as select repeat('x', 1000) from generate_series(1, 60000)",
      );
      await query(small.url("postgres"), "drop table junk");
      await query(small.url("postgres"), "checkpoint");
      await query(small.url("postgres"), "create role helper; create role keeper");
      const { stdout } = await execa("df", ["--output=avail", "-B1", disk]);
      const databaseBytes = 8_000_000;
      const roomBytes = databaseBytes + 3_000_000;
      await execa("fallocate", ["-l", String(Number(stdout.split("\n")[1]) - roomBytes), join(disk, "filler")]);
      const there = postgresContext(small, "shop", folder.path);
      await expect(postgresInstances.restore(there, target, reader(), captured)).rejects.toMatchObject({
        code: "target.failed",
        message: expect.stringMatching(/disk of the server at 127\.0\.0\.1:\d+ is full/),
      });
      expect(await postgresInstances.inspect(there, target)).toBe("partial");
      // The server writes everything out before it drops a database, and cannot while nothing is free.
      await rm(join(disk, "filler"));
      await postgresInstances.drop(there, target);
      expect(await postgresInstances.inspect(there, target)).toBe("absent");
    } finally {
      await small?.stop();
      await execa("umount", [disk]);
    }
  });
});

describe("held against its point", () => {
  test("a restored database that was changed is not what was captured, and each difference is named", async () => {
    await restore();
    await query(
      server.url("shop_r3"),
      `delete from big where id > 19990; drop table small; create view more as select 1; select setval('big_id_seq', 7);
       select lo_unlink(blob) from blobs limit 1`,
    );
    const outcomes = await postgresInstances.validate(context(), target, captured.facts);
    expect(outcomes.every(({ status }) => status === "failed")).toBe(true);
    expect(Object.fromEntries(outcomes.map(({ subject, found }) => [subject, found]))).toEqual({
      "facts: big": "big: 19,990 rows, captured 20,000",
      "facts: small": "the table is missing",
      "facts: large objects": "2, captured 3",
      "facts: public.big_id_seq": "stands at 7, captured at 20000",
      "facts: schema: constraint": "1, captured 2",
      "facts: schema: fk constraint": "0, captured 1",
      "facts: schema: table": "2, captured 3",
      "facts: schema: view": "1, captured 0",
    });
  });
});
