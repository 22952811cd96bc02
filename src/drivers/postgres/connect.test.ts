/** Where a url leads, what is refused in it, what a failed connection says, and which client programs are taken. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type TestFolder, bindFrom, createTestFolder } from "../../testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { applicationName, endEarlierAttempts } from "../../platform/postgres/application-name.ts";
import { connectionArgument, findClientPrograms, programEnvironment } from "./client-programs.ts";
import { parsePostgresUrl, resolveTarget, targetOutputs } from "../../platform/postgres/connection-target.ts";
import { readDumpToc } from "./dump-toc.ts";
import { postgresOptionsSchema } from "./postgres-options.ts";
import { openSession, withSession } from "../../platform/postgres/session.ts";

const signal = new AbortController().signal;
const marker = "refloat/1/restore:db/1";

describe("a url", () => {
  test.each([
    ["postgres://shop@db-1:5433/shop", { host: "db-1", port: 5433, user: "shop", database: "shop", tls: "disable" }],
    ["postgresql://a%40b@[::1]/x%20y", { host: "::1", port: 5432, user: "a@b", database: "x y" }],
    ["postgres:///notes?host=/run/pg&port=6000", { host: "/run/pg", port: 6000, database: "notes" }],
    ["postgres://u@%2Frun%2Fpg/notes", { host: "/run/pg", database: "notes" }],
    ["postgres://u@h/d?sslmode=verify-full&sslrootcert=/ca.pem", { tls: "verify-full", tlsRootCertificate: "/ca.pem" }],
  ])("%s is read", (url, expected) => {
    expect(parsePostgresUrl(url)).toMatchObject(expected);
  });

  test.each([
    ["mysql://h/d", /not one of PostgreSQL/],
    ["postgres://h", /names no database/],
    ["postgres://a,b/d", /several hosts/],
    ["postgres://h:99999/d", /not a port/],
    ["postgres://h/d?sslmode=prefer", /sslmode=prefer is not supported/],
    ["postgres://h/d?target_session_attrs=any", /target_session_attrs is not supported/],
    ["postgres://h/%zz", /broken % escape/],
  ])("%s is refused", (url, message) => {
    expect(() => parsePostgresUrl(url)).toThrow(message);
  });

  test("with a password in it is refused in the file with the way out, and taken from a secret", async () => {
    for (const url of ["postgres://shop:pa55@h/d", "postgres://shop:${env:X}@h/d"]) {
      const { error } = postgresOptionsSchema.safeParse({ url });
      expect(error?.message).toMatch(/take it out and add `password: \$\{file:/);
      expect(error?.message).not.toMatch(/pa55/);
    }
    expect(postgresOptionsSchema.safeParse({ url: "postgres://u@h/d", password: "literal" }).success).toBe(false);
    const bind = bindFrom({
      "file:/u": "secret!postgres://shop:pa55@h/d",
      "env:P": "secret!other",
      "x.url": "postgres://shop:pa55@h/d",
    });
    const secret = await resolveTarget({ bind, component: "db", options: { url: "${file:/u}" } });
    expect(secret.password?.reveal()).toBe("pa55");
    expect(JSON.stringify(secret)).not.toMatch(/pa55/);
    const both = await resolveTarget({ bind, component: "db", options: { url: "${file:/u}", password: "${env:P}" } });
    expect(both.password?.reveal()).toBe("other");
    await expect(resolveTarget({ bind, component: "db", options: { url: "${x.url}" } })).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.not.stringContaining("pa55"),
    });
  });

  test("is given to dependents so that they reach the same place, and is secret when it holds a password", () => {
    for (const url of [
      "postgres://a%40b:p%2F@[::1]:6000/x%20y?sslmode=require",
      "postgres://u@localhost/d?host=%2Frun%2Fpg&port=6000",
    ]) {
      const target = parsePostgresUrl(url);
      const outputs = targetOutputs(target);
      const again = parsePostgresUrl(outputs["url"]?.value ?? "");
      expect({ ...again, password: again.password?.reveal() }).toEqual({
        ...target,
        password: target.password?.reveal(),
      });
      expect(outputs["url"]?.secret).toBe(target.password !== null);
      expect(outputs["database"]).toEqual({ value: target.database, secret: false });
    }
    expect(targetOutputs(parsePostgresUrl("postgres://u@h:1/d"))["address"]?.value).toBe("h:1");
  });
});

describe("a server", () => {
  let server: PostgresServer;
  let folder: TestFolder;

  beforeAll(async () => {
    server = await startPostgresServer({ password: "right" });
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    folder = await createTestFolder();
  });
  afterEach(() => folder.remove());

  const target = (database: string, password: string) =>
    parsePostgresUrl(server.url(database).replace("@", `:${password}@`));
  const connect = (database: string, password: string) =>
    withSession({ target: target(database, password), marker, role: "source", signal }, (session) =>
      session.query("select 1 as one"),
    );

  test("is used with the right password; a wrong one, a missing database and a dead port have words of their own", async () => {
    expect(await connect("postgres", "right")).toEqual([{ one: 1 }]);
    await expect(connect("postgres", "wr0ng")).rejects.toMatchObject({
      code: "source.denied",
      message: expect.stringMatching(/refuses user postgres/),
      hint: expect.stringMatching(/the one that the role has now/),
    });
    const { password: _, ...without } = target("postgres", "right");
    const asked = { target: { ...without, password: null }, marker, role: "source", signal } as const;
    await expect(openSession(asked)).rejects.toMatchObject({
      code: "source.denied",
      message: expect.stringMatching(/asks user postgres for a password/),
      hint: expect.stringMatching(/no password is declared/),
    });
    await expect(connect("nowhere", "right")).rejects.toMatchObject({
      code: "source.failed",
      message: expect.stringMatching(/there is no database "nowhere" at 127\.0\.0\.1:\d+/),
    });
    const dead = { ...target("postgres", "right"), port: 1 };
    await expect(openSession({ target: dead, marker, role: "source", signal })).rejects.toMatchObject({
      code: "source.unreachable",
      message: "the server at 127.0.0.1:1 does not answer: connection refused",
    });
    const socket = { ...target("postgres", "right"), host: server.socketDirectory };
    expect(
      await withSession({ target: socket, marker, role: "source", signal }, (s) => s.query("select 1 as one")),
    ).toEqual([{ one: 1 }]);
  });

  test("that has no room for one more is up, for sessions and for programs", async () => {
    const one = { ...target("postgres", "right"), user: "little" };
    await query(
      server.url("postgres").replace("@", ":right@"),
      "create role little login password 'right' connection limit 1",
    );
    const full = {
      code: "source.under-pressure",
      message: expect.stringMatching(/too many connections/),
      hint: expect.stringMatching(/end some, or raise the limit/),
    };
    const session = await openSession({ target: one, marker, role: "source", signal });
    try {
      await expect(openSession({ target: one, marker, role: "source", signal })).rejects.toMatchObject(full);
      const asked = { marker, signal, snapshot: null, encoding: "UTF8", excludeData: [], lockTimeoutMs: 1_000 };
      const programs = await findClientPrograms(15, signal);
      await expect(readDumpToc({ ...asked, programs, target: one })).rejects.toMatchObject(full);
    } finally {
      await session.close();
    }
  });

  test("that ends a session makes it lost, and later queries say so", async () => {
    const session = await openSession({ target: target("postgres", "right"), marker, role: "source", signal });
    const running = session.query("select pg_sleep(60)").catch((error: unknown) => error);
    const gone = new Promise((resolve) => session.lost.addEventListener("abort", resolve));
    await withSession(
      { target: target("postgres", "right"), marker: "refloat/1/restore:db/2", role: "source", signal },
      (other) => endEarlierAttempts(other, "refloat/1/restore:db/2", ["postgres"]),
    );
    expect(await running).toMatchObject({ code: "source.unreachable", retryable: true });
    await gone;
    await session.close();
  });

  test("keeps the sessions of other acts when earlier attempts are ended", async () => {
    const session = await openSession({
      target: target("postgres", "right"),
      marker: "refloat/1/restore:db2/1",
      role: "source",
      signal,
    });
    const ended = await withSession({ target: target("postgres", "right"), marker, role: "source", signal }, (other) =>
      endEarlierAttempts(other, marker, ["postgres"]),
    );
    expect(ended).toBe(0);
    expect(await session.query("select 1 as one")).toEqual([{ one: 1 }]);
    await session.close();
  });

  test("stops working for us when we abort", async () => {
    const stop = new AbortController();
    const session = await openSession({
      target: target("postgres", "right"),
      marker,
      role: "source",
      signal: stop.signal,
    });
    const asleep = async () =>
      (
        await query(
          server.url("postgres").replace("@", ":right@"),
          "select 1 from pg_stat_activity where query like 'select pg_sleep%'",
        )
      ).length;
    const running = session.query("select pg_sleep(60)");
    const reason = new Error("enough");
    // What was sent and not begun yet would be seen neither before nor after.
    await vi.waitUntil(async () => (await asleep()) === 1, { timeout: 60_000 });
    stop.abort(reason);
    await expect(running).rejects.toBe(reason);
    await session.close();
    await vi.waitUntil(async () => (await asleep()) === 0, { timeout: 60_000 });
  });

  test("is asked by programs that get the password by environment only", async () => {
    const programs = await findClientPrograms(15, signal);
    const secret = target("postgres", "right");
    expect(connectionArgument(secret, marker)).not.toMatch(/right/);
    expect(programEnvironment(secret)["PGPASSWORD"]).toBe("right");
    const options = {
      programs,
      marker,
      signal,
      snapshot: null,
      encoding: "UTF8",
      excludeData: [],
      lockTimeoutMs: 1_000,
    };
    expect((await readDumpToc({ ...options, target: secret })).database).toBe("postgres");
    await expect(readDumpToc({ ...options, target: target("postgres", "wr0ng") })).rejects.toMatchObject({
      code: "source.denied",
      message: expect.stringMatching(/password authentication failed/),
    });
  });
});

describe.skipIf(process.getuid?.() !== 0)("a server that lets people in by their system names, as root", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgresServer({ password: "right", peer: true });
  });
  afterAll(() => server.stop());
  const ask = (user: string) =>
    openSession({
      target: parsePostgresUrl(`postgres://${user}/postgres?host=${server.socketDirectory}&port=${server.port}`),
      marker,
      role: "source",
      signal,
    });

  test("and does not know root tells how the role is made, and no word of a password", async () => {
    await expect(ask("")).rejects.toMatchObject({
      code: "source.denied",
      message: expect.stringMatching(/refuses user root: role "root" does not exist/),
      hint: expect.not.stringMatching(/password|pg_hba/),
      nextCommand:
        `sudo -u postgres createuser -h ${server.socketDirectory} -p ${server.port} --createdb ` +
        "-g pg_read_all_data -g pg_signal_backend -g pg_read_all_settings root",
    });
  });

  test("and is asked for somebody else says whom it lets in", async () => {
    await expect(ask("shop@")).rejects.toMatchObject({
      code: "source.denied",
      hint: expect.stringMatching(/leave shop out of the url/),
    });
  });
});

describe("client programs", () => {
  let folder: TestFolder;
  beforeEach(async () => {
    folder = await createTestFolder();
  });
  afterEach(() => folder.remove());

  const install = async (version: string, dump = "exit 9"): Promise<void> => {
    const bin = join(folder.path, version.split(".")[0] ?? "", "bin");
    await mkdir(bin, { recursive: true });
    for (const program of ["pg_dump", "pg_restore", "pg_dumpall"]) {
      const script = `#!/bin/sh\n[ "$1" = --version ] && echo "${program} (PostgreSQL) ${version} (Debian)" && exit\n${dump}\n`;
      await writeFile(join(bin, program), script);
      await chmod(join(bin, program), 0o755);
    }
  };

  test("are those of the server's version, else the next newer ones", async () => {
    for (const version of ["90.2", "91.4", "93.1"]) await install(version);
    expect((await findClientPrograms(91, signal, folder.path)).version).toBe("91.4");
    expect((await findClientPrograms(92, signal, folder.path)).version).toBe("93.1");
    await expect(findClientPrograms(94, signal, folder.path)).rejects.toMatchObject({
      code: "program.version",
      message: expect.stringMatching(/older than the server, which is version 94/),
      nextCommand: "apt-get install postgresql-client-94",
    });
  });

  test("of an archive version that is not known are refused by name", async () => {
    await install("97.1", `printf 'PGDMP\\001\\021\\000\\004\\010\\001'; exec cat /dev/zero`);
    const programs = await findClientPrograms(97, signal, folder.path);
    const target = parsePostgresUrl("postgres://x@127.0.0.1:1/x");
    await expect(
      readDumpToc({
        programs,
        target,
        marker,
        signal,
        snapshot: null,
        encoding: "UTF8",
        excludeData: [],
        lockTimeoutMs: 1,
      }),
    ).rejects.toMatchObject({ code: "program.version", message: expect.stringMatching(/archive of version 1\.17/) });
  });

  test("that end early say what they said", async () => {
    await install("97.1", `printf 'PGDMP\\001'; echo "pg_dump: error: out of luck" >&2; exit 1`);
    const programs = await findClientPrograms(97, signal, folder.path);
    const target = parsePostgresUrl("postgres://x@127.0.0.1:1/x");
    await expect(
      readDumpToc({
        programs,
        target,
        marker,
        signal,
        snapshot: null,
        encoding: "UTF8",
        excludeData: [],
        lockTimeoutMs: 1,
      }),
    ).rejects.toMatchObject({ code: "source.failed", message: expect.stringMatching(/out of luck/) });
  });
});

test("application names fit the server's limit and tell acts apart", () => {
  expect(applicationName("refloat/42/restore:db/3")).toBe("refloat/42/restore:db/3");
  expect(applicationName("refloat/capture/shop")).toBe("refloat/capture/shop");
  const long = `refloat/42/restore:${"x".repeat(60)}`;
  expect(applicationName(`${long}a/3`).length).toBeLessThanOrEqual(63);
  expect(applicationName(`${long}a/3`)).not.toBe(applicationName(`${long}b/3`));
  expect(applicationName(`${long}a/3`)).toMatch(/^refloat\/~[0-9a-f]+\/3$/);
});
