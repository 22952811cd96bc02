/** Receives the log of a real server into a real vault: byte by byte, killed, with either side away, and where the server has lost a part of it. */
import { type ChildProcess, fork } from "node:child_process";
import { open as openFile, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { comparePositions } from "../../core/logs/log-position.ts";
import type { LogEvent, LogReceiving } from "../../core/ports/logs.ts";
import type { LogStore } from "../../core/ports/vault-logs.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import type { ReceiverOrder } from "../../testing/log-receiver-program.ts";
import { type MariadbServer, startMariadbServer } from "../../testing/mariadb-server.ts";
import { createLogs } from "../../vault/points/logs.ts";
import { createRepository } from "../../vault/repository/create-repository.ts";
import { fileName, placeAt, positionOf, readFileName } from "./binlog-line.ts";
import { receiveBinlog } from "./binlog-receiver.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const password = "correct horse";
const name = { service: "shop", component: "db" };
const quiet = new AbortController().signal;

let server: MariadbServer;
let folder: TestFolder;
let repository: Repository;

const start = (more: Readonly<Record<string, string | number>> = {}): Promise<MariadbServer> =>
  startMariadbServer({ settings: { "log-bin": "binlog", "binlog-format": "ROW", "sync-binlog": 1, ...more } });

const prepare = async (of: MariadbServer): Promise<void> => {
  await of.sql("CREATE DATABASE bench; ALTER USER root@localhost IDENTIFIED BY '';");
  await of.sql("CREATE TABLE history (id INT AUTO_INCREMENT PRIMARY KEY, text LONGTEXT);", "bench");
};

beforeAll(async () => {
  server = await start();
  await prepare(server);
});

afterAll(async () => {
  await server.stop();
});

beforeEach(async () => {
  folder = await createTestFolder("refloat-binlog");
  repository = await createRepository(`${folder.path}/vault`, password, { clock: systemClock });
});

afterEach(async () => {
  for (const receiver of running.splice(0)) await receiver.stop();
  await repository.close();
  await folder.remove();
});

const open = (): LogStore => createLogs({ repository, clock: systemClock, lockFor: async () => null });

const spans = (): Promise<readonly LogSpan[]> => open().spans("shop");

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await systemClock.sleep(50, quiet);
};

/** Where the server's log ends. */
const written = async (of = server): Promise<string> => {
  const [file = "", offset] = (await of.sql("SHOW MASTER STATUS;")).split("\t");
  return positionOf({ number: readFileName(file)?.number ?? 0, offset: Number(offset) });
};

const reaches = (position: string) => async (): Promise<boolean> =>
  (await spans()).some(({ to }) => comparePositions(to, position) >= 0);

const insert = (rows: number, bytes: number, of = server): Promise<string> =>
  of.sql(`INSERT INTO history (text) VALUES (REPEAT('x', ${bytes}));`.repeat(rows), "bench");

const running: Receiving[] = [];

type Receiving = { readonly events: LogEvent[]; readonly stop: () => Promise<void> };

const receiveFrom = async (
  of: MariadbServer,
  { signal = quiet, ...parts }: Partial<LogReceiving> & { readonly signal?: AbortSignal } = {},
): Promise<void> => {
  const logs = open();
  await receiveBinlog(
    createTestContext({ options: { url: of.url("bench") }, folder: folder.path, component: "db", signal }),
    {
      held: await logs.spans("shop"),
      history: async (line) => (await logs.reader(name)).history(line),
      read: async function* read(...stretch) {
        yield* (await logs.reader(name)).read(...stretch);
      },
      append: logs.append,
      everyMs: 200,
      report: () => undefined,
      ...parts,
    },
  );
};

const receive = async (parts: { of?: MariadbServer; append?: LogReceiving["append"] } = {}): Promise<Receiving> => {
  const ending = new AbortController();
  const events: LogEvent[] = [];
  let failure: unknown = null;
  const done = receiveFrom(parts.of ?? server, {
    ...(parts.append === undefined ? {} : { append: parts.append }),
    report: (event) => events.push(event),
    signal: ending.signal,
  }).catch((error: unknown) => (failure = error));
  const receiver = {
    events,
    stop: async () => {
      ending.abort(new Error("told to end"));
      await done;
      if (failure !== null) throw failure;
    },
  };
  running.push(receiver);
  return receiver;
};

/** Every whole file of the span is what the server's own file is. @returns how many */
const expectSameFiles = async (span: LogSpan, of = server): Promise<number> => {
  const [from, to] = [placeAt(span.from), placeAt(span.to)];
  const reader = await open().reader(name);
  let compared = 0;
  for (let { number } = from; number < to.number; number += 1) {
    const chunks: Uint8Array[] = [];
    const [begin, end] = [positionOf({ number, offset: 0 }), positionOf({ number: number + 1, offset: 0 })];
    for await (const chunk of reader.read(span.line, begin, end)) chunks.push(chunk);
    const own = await readFile(join(of.directory, "data", fileName({ base: "binlog", number })));
    const isSame = Buffer.concat(chunks).equals(own);
    // A server that was killed leaves the mark of an open file, which it does not send.
    if (!isSame) own.writeUInt16LE(own.readUInt16LE(21) & ~1, 21);
    expect(isSame || Buffer.concat(chunks).equals(own), `${number}`).toBe(true);
    compared += 1;
  }
  return compared;
};

const rotate = async (of = server): Promise<void> => {
  await of.sql("FLUSH BINARY LOGS;");
};

it("receives what a server writes, byte by byte, over the ends of files, and ends in order", async () => {
  const receiver = await receive();
  await until(async () => (await spans()).length > 0);
  await insert(20, 5_000);
  await rotate();
  await rotate();
  await insert(3, 2_000_000);
  await rotate();
  await insert(2, 10);
  await server.sql("SET SESSION binlog_format = 'STATEMENT'; INSERT INTO history (text) VALUES ('unsafe');", "bench");
  await until(reaches(await written()));
  await receiver.stop();
  const [span, ...others] = await spans();
  if (span === undefined) throw new Error("nothing was received");
  expect(others).toEqual([]);
  expect(placeAt(span.from).offset).toBe(0);
  expect(await expectSameFiles(span)).toBe(3);
  const told = receiver.events.filter(({ type }) => type !== "durable");
  expect(told.every(({ type }) => type === "warning")).toBe(true);
  expect(told).toContainEqual({
    type: "warning",
    message: expect.stringMatching(
      /^no point from before binlog\.000004:\d+ leads on .*logged as a statement/,
    ) as string,
    hint: "take a point: refloat capture shop",
  });
  const compacted = open();
  await compacted.compact(name, quiet);
  expect(await compacted.spans("shop")).toEqual([span]);
  expect(await expectSameFiles(span)).toBe(3);
});

it("finds a commit by its time, whether it was received at once or long afterwards", async () => {
  const commits: { before: string; from: number; at: number; after: string }[] = [];
  const now = async (): Promise<number> => Number(await server.sql("SELECT UNIX_TIMESTAMP(SYSDATE(6)) * 1000;"));
  const commit = async (): Promise<void> => {
    const before = await written();
    const from = await now();
    await insert(1, 10);
    const at = Math.ceil(await now());
    commits.push({ before, from, at, after: await written() });
    await systemClock.sleep(1100, quiet);
  };
  let receiver = await receive();
  await until(async () => (await spans()).length > 0);
  await commit();
  await until(reaches(await written()));
  await receiver.stop();
  await commit();
  await commit();
  receiver = await receive();
  await until(reaches(await written()));
  await receiver.stop();
  const store = open();
  for (const { before, from, at, after } of commits) {
    const next = (Math.floor(at / 1000) + 1) * 1000;
    const found = await store.positionAt({ ...name, at: new Date(next).toISOString() });
    expect(comparePositions(found?.position ?? "0/0", before)).toBe(1);
    const earlier = await store.positionAt({
      ...name,
      at: new Date((Math.floor(from / 1000) - 1) * 1000 - 1).toISOString(),
    });
    expect(earlier === null || comparePositions(earlier.position, after) < 0).toBe(true);
  }
});

/** Clients whose command line names the folder. */
const runningBelow = async (path: string): Promise<number> => {
  const processes = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry));
  const lines = await Promise.all(processes.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((words) => words.includes("mariadb-binlog") && words.includes(path)).length;
};

it("killed at any moment it goes on without a gap, and joins what it stored meanwhile", async () => {
  const order: ReceiverOrder = {
    driver: "mariadb",
    url: server.url("bench"),
    vault: `${folder.path}/vault`,
    password,
    folder: folder.path,
    everyMs: 50,
  };
  const begin = (): ChildProcess =>
    fork(new URL("../../testing/log-receiver-program.ts", import.meta.url), {
      env: { ...process.env, ORDER: JSON.stringify(order) },
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
  const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once("exit", resolve));
  const idle = new AbortController();
  const work = async (): Promise<void> => {
    for (let round = 0; !idle.signal.aborted; round += 1) {
      await insert(20, 3_000);
      if (round % 3 === 0) await rotate();
    }
  };
  const working = work();
  for (let round = 0; round < 3; round += 1) {
    const child = begin();
    const end = ended(child);
    let lines = 0;
    await new Promise<void>((resolve) =>
      child.stdout?.on("data", (text: Buffer) => {
        lines += String(text).split("\n").length - 1;
        if (lines > round * 3) resolve();
      }),
    );
    await systemClock.sleep(round * 37, quiet);
    child.kill("SIGKILL");
    await end;
    // Nothing of it goes on.
    await until(async () => (await runningBelow(folder.path)) === 0);
  }
  idle.abort();
  await working;
  const last = begin();
  const end = ended(last);
  await rotate();
  await until(reaches(await written()));
  last.kill("SIGTERM");
  expect(await end).toBe(0);
  const [span, ...others] = await spans();
  if (span === undefined) throw new Error("nothing was received");
  expect(others).toEqual([]);
  expect(await expectSameFiles(span)).toBeGreaterThan(1);
  await open().compact(name, quiet);
  expect(await spans()).toEqual([span]);
  await expectSameFiles(span);
});

it("a vault that is away takes little memory, and nothing is lost when it is back", async () => {
  const logs = open();
  let isAway = false;
  let waiting = 0;
  let comeBack = (): void => undefined;
  const back = new Promise<void>((resolve) => (comeBack = resolve));
  const receiver = await receive({
    append: async (piece, content) => {
      if (isAway) {
        waiting = Math.max(waiting, content.length);
        await back;
      }
      await logs.append(piece, content);
    },
  });
  await until(async () => (await spans()).length > 0);
  isAway = true;
  await insert(40, 1_000_000);
  const before = (await spans()).at(-1)?.to ?? "0/0";
  expect(comparePositions(before, await written())).toBe(-1);
  comeBack();
  await rotate();
  await until(reaches(await written()));
  await receiver.stop();
  expect(waiting).toBeLessThan(18 * 1024 * 1024);
  const [span, ...others] = await spans();
  if (span === undefined) throw new Error("nothing was received");
  expect(others).toEqual([]);
  expect(await expectSameFiles(span)).toBeGreaterThan(0);
});

it("goes on after the server was away, also where its file just ended, and says meanwhile that it waits", async () => {
  const receiver = await receive();
  await until(async () => (await spans()).length > 0);
  await insert(3, 100);
  await server.crash();
  await until(async () => receiver.events.some((event) => event.type === "waiting" && event.for === "source"));
  await server.start();
  await insert(3, 100);
  await rotate();
  await until(reaches(await written()));
  await receiver.stop();
  const [span, ...others] = await spans();
  if (span === undefined) throw new Error("nothing was received");
  expect(others).toEqual([]);
  expect(await expectSameFiles(span)).toBe(2);
});

it("files that the server has removed, and a log that was reset, are gaps that are said; the log goes on from what there is", async () => {
  const other = await start({ "server-id": 7 });
  try {
    await prepare(other);
    const first = await receive({ of: other });
    await until(reaches(await written(other)));
    await first.stop();
    await rotate(other);
    await insert(1, 10, other);
    await rotate(other);
    const [name = ""] = (await other.sql("SHOW MASTER STATUS;")).split("\t");
    // A file that the server may need for its own recovery stays, until its storage engine has caught up.
    await until(async () => {
      await other.sql(`PURGE BINARY LOGS TO '${name}';`);
      return (await other.sql("SHOW BINARY LOGS;")).startsWith(name);
    });
    const second = await receive({ of: other });
    await until(reaches(await written(other)));
    await second.stop();
    const [before, after] = await spans();
    expect(before?.line).toMatch(/^7\/binlog\/1-\d+$/);
    expect(after?.line).toBe(before?.line);
    expect(second.events).toContainEqual({
      type: "gap",
      from: before,
      reason: expect.stringContaining("db: the server has removed its binary log") as string,
      nextCommand: "refloat capture shop",
    });
    // To a number that is held, with more in it than before.
    await systemClock.sleep(1_100, quiet);
    await other.sql(`RESET MASTER TO ${placeAt(after?.to ?? "0/0").number};`);
    await insert(3, 1_000, other);
    const third = await receive({ of: other });
    await until(async () => (await spans()).length === 3);
    await until(reaches(await written(other)));
    await third.stop();
    expect((await spans()).at(-1)?.line).not.toBe(before?.line);
    expect(third.events).toContainEqual(
      expect.objectContaining({ type: "gap", reason: expect.stringContaining("was reset") as string }),
    );
    const fourth = await receive();
    await until(async () => (await spans()).some(({ line }) => line.startsWith("1/")));
    await fourth.stop();
    expect(fourth.events).toContainEqual(
      expect.objectContaining({ type: "warning", message: expect.stringContaining("is not the one") as string }),
    );
  } finally {
    await other.stop();
  }
});

/** Moves what lies behind `from` of a file of the server to `to`; nothing lies between. */
const spread = async (of: MariadbServer, number: number, from: number, to: number): Promise<void> => {
  const path = join(of.directory, "data", fileName({ base: "binlog", number }));
  const rest = (await readFile(path)).subarray(from);
  const file = await openFile(path, "r+");
  await file.truncate(from);
  await file.write(rest, 0, rest.length, to);
  await file.close();
};

it("of a file that is larger than 4 GiB the rest is a gap that is said, and the log goes on with the next one", async () => {
  const other = await start({ "server-id": 7 });
  try {
    await prepare(other);
    const first = placeAt(await written(other)).offset;
    await insert(1, 10, other);
    const second = placeAt(await written(other)).offset;
    await insert(3, 10, other);
    await rotate(other);
    await insert(2, 10, other);
    await rotate(other);
    // The first event of the second transaction lies where the places end.
    const from = 2 ** 32 - (second - first) - 30;
    await spread(other, 1, first, from);
    const line = {
      ...name,
      driver: "mariadb",
      line: "7/binlog/1-1",
      from: "1/0",
      to: positionOf({ number: 1, offset: from }),
    };
    const held: LogSpan = { ...line, fromAt: "2026-11-26T00:00:00.000Z", toAt: "2026-11-26T00:00:00.000Z" };
    const ending = new AbortController();
    const events: LogEvent[] = [];
    const receiving = receiveFrom(other, {
      held: [held],
      report: (event) => events.push(event),
      signal: ending.signal,
    });
    await until(reaches(await written(other)));
    ending.abort(new Error("told to end"));
    await receiving;
    const [before, after, ...others] = await spans();
    expect(others).toEqual([]);
    expect(before).toMatchObject({
      line: held.line,
      from: held.to,
      to: positionOf({ number: 1, offset: 2 ** 32 - 30 }),
    });
    expect(after).toMatchObject({ line: held.line, from: "2/0", to: await written(other) });
    expect(events.filter(({ type }) => type === "gap")).toEqual([
      {
        type: "gap",
        from: expect.objectContaining({ to: positionOf({ number: 1, offset: 2 ** 32 - 30 }) }) as LogSpan,
        reason: expect.stringContaining("db: binlog.000001 is larger than 4 GiB") as string,
        nextCommand: "refloat capture shop",
      },
    ]);
    expect(after === undefined ? 0 : await expectSameFiles(after, other)).toBe(1);
  } finally {
    await other.stop();
  }
});

const distributed = (id: string, into: string): string =>
  `XA START '${id}'; INSERT INTO ${into}; XA END '${id}'; XA PREPARE '${id}';`;

it("what a recovery will refuse to go on beyond is said when it comes, and distributed transactions of other databases are not", async () => {
  await server.sql("CREATE DATABASE IF NOT EXISTS elsewhere; CREATE TABLE elsewhere.t (id INT PRIMARY KEY);");
  await server.sql(distributed("early", "history (text) VALUES ('e')"), "bench");
  await rotate();
  const receiver = await receive();
  await until(async () => (await spans()).length > 0);
  await server.sql(`${distributed("other", "t VALUES (1)")} XA COMMIT 'other';`, "elsewhere");
  await server.sql(`${distributed("undone", "t VALUES (2)")} XA ROLLBACK 'undone';`, "elsewhere");
  await server.sql(`${distributed("own", "history (text) VALUES ('o')")} XA ROLLBACK 'own';`, "bench");
  await server.sql("XA COMMIT 'early';");
  await until(reaches(await written()));
  await receiver.stop();
  const told = receiver.events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  expect(told.filter((message) => message.startsWith("no point from before"))).toEqual([
    expect.stringContaining("a distributed transaction (XA) was prepared, which may end or not"),
    expect.stringContaining("a distributed transaction (XA) is committed whose rows came before"),
  ]);
});

it("a server put back under what is held, one that logs statements, and a user without the right are refused for good", async () => {
  const receiver = await receive();
  await until(reaches(await written()));
  await receiver.stop();
  const [held] = await spans();
  if (held === undefined) throw new Error("nothing was received");
  const { number } = placeAt(held.to);
  const furtherOn = { ...held, to: positionOf({ number, offset: 900_000_000 }) };
  await expect(receiveFrom(server, { held: [furtherOn] })).rejects.toMatchObject({
    code: "log.diverged",
    nextCommand: "refloat capture shop",
  });
  await server.sql("SET GLOBAL binlog_format = 'MIXED';");
  await expect(receiveFrom(server)).rejects.toMatchObject({
    code: "source.unsupported",
    message: expect.stringContaining("binlog_format = MIXED") as string,
  });
  await server.sql("SET GLOBAL binlog_format = 'ROW';");
  await server.sql("CREATE USER poor@'127.0.0.1'; GRANT BINLOG MONITOR ON *.* TO poor@'127.0.0.1';");
  const poor = { ...server, url: (database: string) => server.url(database, "poor") };
  await expect(receiveFrom(poor, { held: [] })).rejects.toMatchObject({
    code: "source.denied",
    hint: expect.stringContaining("REPLICATION SLAVE") as string,
  });
});
