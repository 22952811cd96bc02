/** Switches of databases that somebody has open, that were left with a -wal file, that are damaged or gone; and switches that are killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DriverContext, Exchange, InstanceTarget } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { findFileHolders } from "../../platform/file-holders.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import type { PathAct } from "../../testing/path-act-program.ts";
import {
  type JournalMode,
  captureSqliteInto,
  createLedger,
  queryRows,
  readContent,
  runSql,
  sqliteContext,
  sqliteDriver,
  startHolder,
} from "../../testing/sqlite-bench.ts";

vi.setConfig({ testTimeout: 600_000 });

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const { instances, switching } = sqliteDriver;

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-sqlite");
});
afterEach(() => folder.remove());

type Scene = {
  readonly place: string;
  readonly srv: string;
  readonly path: string;
  readonly vault: string;
  readonly context: DriverContext;
  readonly target: InstanceTarget;
  readonly captured: CapturedComponent;
  readonly exchange: Exchange;
  /** Content of the point. */
  readonly original: string;
};

/** A database and a point of it; the live side was written to since. */
const createScene = async (mode: JournalMode, name = "one"): Promise<Scene> => {
  const place = join(folder.path, name);
  const srv = join(place, "srv");
  const path = join(srv, "shop.db");
  const vault = join(place, "vault");
  await mkdir(srv, { recursive: true });
  createLedger(path, mode);
  const original = readContent(path);
  const context = sqliteContext(place, { path, busyTimeout: "500ms" });
  const captured = await captureSqliteInto(context, vault);
  runSql(path, "insert into transfers values (1, 1, 2, 3)");
  const target = { name: await instances.name(context, 42), run: 42, runUid };
  const exchange = { incoming: target.name, outgoing: await instances.retiredName(context, 42) };
  return { place, srv, path, vault, context, target, captured, exchange, original };
};

const restore = ({ context, target, vault, captured }: Scene) =>
  instances.restore(context, target, createDirectoryReader(vault), captured);

const swap = async ({ context }: Scene, exchange: Exchange) =>
  switching.exchange(context, exchange, await switching.observe(context, exchange));

const back = ({ exchange }: Scene): Exchange => ({ incoming: exchange.outgoing, outgoing: exchange.incoming });

const siblings = ({ srv }: Scene): readonly string[] =>
  readdirSync(srv).filter((name) => /-(?:wal|shm|journal)$/.test(name));

describe("a process that has the database open", () => {
  test.each<JournalMode>(["wal", "delete"])(
    "in mode %s keeps it from being switched, by name, until it is gone",
    async (mode) => {
      const scene = await createScene(mode);
      await restore(scene);
      const damaged = readContent(scene.path);
      const holder = await startHolder(scene.path, "select count(*) from accounts");
      try {
        await expect(swap(scene, scene.exchange)).rejects.toMatchObject({
          code: "fence.failed",
          message: expect.stringContaining(`${scene.path} is held open by ${holder.pid} (`) as string,
          hint: expect.stringContaining("${db.path}") as string,
          context: { pids: [holder.pid] },
        });
        const { findings } = await sqliteDriver.preflight(scene.context);
        expect(findings.map(({ found }) => found)).toContainEqual(
          expect.stringContaining(`is open in ${holder.pid} (`),
        );
        expect(readContent(scene.path)).toBe(damaged);
      } finally {
        await holder.kill();
      }
      await swap(scene, scene.exchange);
      expect(readContent(scene.path)).toBe(scene.original);
      expect(readContent(scene.exchange.outgoing)).toBe(damaged);
    },
  );

  test("is seen by any name, and the restored side's user as well", async () => {
    const scene = await createScene("wal");
    await restore(scene);
    const holder = await startHolder(scene.target.name, "select count(*) from accounts");
    try {
      await expect(swap(scene, scene.exchange)).rejects.toMatchObject({ context: { pids: [holder.pid] } });
    } finally {
      await holder.kill();
    }
  });

  test("since the last look, behind the lock, makes the names go back", async () => {
    const scene = await createScene("wal");
    await restore(scene);
    const damaged = readContent(scene.path);
    // The exchange is made by perl: this one lets somebody open the old file right before it.
    const programs = join(scene.place, "bin");
    await mkdir(programs);
    writeFileSync(
      join(programs, "perl"),
      `#!/bin/sh\nif [ ! -e ${scene.place}/pid ]; then exec 3< ${scene.path}; sleep 300 > /dev/null 2>&1 & echo $! > ${scene.place}/pid; exec 3<&-; fi\nexec /usr/bin/perl "$@"\n`,
    );
    chmodSync(join(programs, "perl"), 0o755);
    const found = process.env["PATH"] ?? "";
    process.env["PATH"] = `${programs}:${found}`;
    let late = 0;
    try {
      const failure = await swap(scene, scene.exchange).catch((error: unknown) => error);
      late = Number(await readFile(join(scene.place, "pid"), "utf8"));
      expect(failure).toMatchObject({ code: "fence.failed", context: { pids: [late] } });
    } finally {
      process.env["PATH"] = found;
      if (late > 0) process.kill(late, "SIGKILL");
    }
    expect(readContent(scene.path)).toBe(damaged);
    expect(await switching.observe(scene.context, scene.exchange)).toMatchObject({ outgoing: null });
    await swap(scene, scene.exchange);
    expect(readContent(scene.path)).toBe(scene.original);
  });
});

describe("what a killed writer has left beside a database", () => {
  test("on both sides is put into its own file before the names are exchanged, and comes back by the undo", async () => {
    const scene = await createScene("wal");
    await restore(scene);
    for (const [path, amount] of [
      [scene.path, 111],
      [scene.target.name, 222],
    ] as const) {
      const writer = await startHolder(
        path,
        `pragma wal_autocheckpoint = 0; insert into transfers values (null, 1, 2, ${amount})`,
      );
      await writer.kill();
    }
    expect(siblings(scene)).toContain("shop.db-wal");
    const lastWrite = statSync(`${scene.path}-wal`).mtimeMs;
    await swap(scene, scene.exchange);
    expect(siblings(scene)).toEqual([]);
    expect(Math.abs(statSync(scene.exchange.outgoing).mtimeMs - lastWrite)).toBeLessThan(2);
    expect(queryRows(scene.path, "select amount from transfers")).toEqual([{ amount: 222 }]);
    expect(queryRows(scene.exchange.outgoing, "select amount from transfers")).toEqual([
      { amount: 3 },
      { amount: 111 },
    ]);
    await swap(scene, back(scene));
    expect(queryRows(scene.path, "select amount from transfers")).toEqual([{ amount: 3 }, { amount: 111 }]);
  });

  test("as a hot journal is rolled back before the names are exchanged", async () => {
    const scene = await createScene("delete");
    await restore(scene);
    const damaged = readContent(scene.path);
    const writer = await startHolder(
      scene.path,
      "pragma cache_size = 1; begin; update padding set body = zeroblob(2000)",
    );
    await writer.kill();
    expect(siblings(scene)).toEqual(["shop.db-journal"]);
    await swap(scene, scene.exchange);
    expect(siblings(scene)).toEqual([]);
    expect(readContent(scene.path)).toBe(scene.original);
    expect(readContent(scene.exchange.outgoing)).toBe(damaged);
  });

  test.each([
    ["damaged", (path: string) => writeFile(path, "overwritten by something else ".repeat(400))],
    ["gone", (path: string) => rm(path)],
  ])("whose main file is %s goes out of the way of the new one, and comes back by the undo", async (_what, damage) => {
    const scene = await createScene("wal");
    await restore(scene);
    const writer = await startHolder(
      scene.path,
      "pragma wal_autocheckpoint = 0; insert into transfers values (null, 1, 2, 111)",
    );
    await writer.kill();
    const wal = await readFile(`${scene.path}-wal`);
    await damage(scene.path);
    await swap(scene, scene.exchange);
    expect(siblings(scene)).toEqual(["shop.db.old42-wal"]);
    expect(readContent(scene.path)).toBe(scene.original);
    await swap(scene, back(scene));
    expect((await readFile(`${scene.path}-wal`)).equals(wal)).toBe(true);
    expect(siblings(scene)).toEqual(["shop.db-wal"]);
    expect(readContent(scene.target.name)).toBe(scene.original);
  });

  test("of an instance of the same name is not taken for that of a new one", async () => {
    const scene = await createScene("wal");
    await writeFile(`${scene.target.name}-wal`, "stale");
    await restore(scene);
    expect(await instances.validate(scene.context, scene.target, scene.captured.facts)).toMatchObject([
      { status: "passed" },
    ]);
    runSql(scene.target.name, "pragma wal_autocheckpoint = 0");
    await writeFile(`${scene.target.name}-journal`, "");
    await instances.drop(scene.context, scene.target);
    expect(readdirSync(scene.srv)).toEqual(["shop.db"]);
  });
});

describe("a restored database that is not as captured", () => {
  test.each([
    ["lost a row", "delete from accounts where id = 7", "facts: accounts"],
    ["has another value", "update accounts set balance = balance + 1 where id = 7", "facts: accounts"],
    ["has another schema", "create index another on accounts (balance)", "facts: shop.db: schema"],
    ["lost a table", "drop table transfers", "facts: transfers"],
    ["has another version", "pragma user_version = 9", "facts: shop.db: userVersion"],
  ])("since it %s does not pass", async (_what, sql, subject) => {
    const scene = await createScene("delete");
    await restore(scene);
    runSql(scene.target.name, sql);
    const outcomes = await instances.validate(scene.context, scene.target, scene.captured.facts);
    expect(outcomes.map(({ status }) => status)).not.toContain("passed");
    expect(outcomes.map((outcome) => outcome.subject)).toContain(subject);
  });
});

const program = fileURLToPath(new URL("../../testing/path-act-program.ts", import.meta.url));
const mostPoints = 60;

const runKilled = async (scene: Scene, act: PathAct["act"], at: number): Promise<"killed" | "ended"> => {
  const { place, path, target } = scene;
  const request = join(place, "request.json");
  const vault = act.kind === "capture" ? join(place, "killed-vault") : scene.vault;
  await mkdir(vault, { recursive: true });
  await writeFile(
    request,
    JSON.stringify({ driver: "sqlite", path, folder: place, vault, target, act } satisfies PathAct),
  );
  const child = spawn(process.execPath, [program, request], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, KILL_AT: String(at) },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  // Not `close`: what it has started may hold its output for a moment longer.
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  if (signal === "SIGKILL") return "killed";
  expect({ code, said }).toEqual({ code: 0, said: "" });
  return "ended";
};

/** A process of the killed one that still holds the database lets go when it reads the end of its input. */
const untilLetGo = async ({ srv }: Scene): Promise<void> => {
  for (;;) {
    const files = readdirSync(srv).map((name) => statSync(join(srv, name)));
    if (findFileHolders(files.map(({ dev, ino }) => ({ device: dev, inode: ino }))).holders.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

describe("killed at every change", () => {
  test("a switch leaves one whole side behind the name, and its repeat ends it", async () => {
    let points = 0;
    for (let point = 1; point <= mostPoints; point += 1) {
      const scene = await createScene("wal", `switch-${point}`);
      const { context, exchange, path } = scene;
      await restore(scene);
      const writer = await startHolder(
        path,
        "pragma wal_autocheckpoint = 0; insert into transfers values (null, 1, 2, 111)",
      );
      await writer.kill();
      const expected = await switching.observe(context, exchange);
      const end = await runKilled(scene, { kind: "exchange", exchange, expected }, point);
      await untilLetGo(scene);
      const seen = await switching.observe(context, exchange);
      const isSwitched = seen.stable === expected.incoming;
      expect({ point, seen }).toEqual({
        point,
        seen: isSwitched ? { stable: expected.incoming, incoming: null, outgoing: expected.stable } : expected,
      });
      const amounts = () => queryRows(path, "select amount from transfers").map(({ amount }) => amount);
      expect({ point, amounts: amounts() }).toEqual({ point, amounts: isSwitched ? [] : [3, 111] });
      await switching.exchange(context, exchange, expected);
      expect(readContent(path)).toBe(scene.original);
      await swap(scene, back(scene));
      expect(amounts()).toEqual([3, 111]);
      await instances.drop(context, scene.target);
      expect(readdirSync(scene.srv)).toEqual(["shop.db"]);
      await rm(scene.place, { recursive: true });
      if (end === "ended") break;
      points = point;
    }
    expect(points).toBeGreaterThanOrEqual(4);
  });

  test("a capture leaves nothing that the next one does not take away", async () => {
    const scene = await createScene("delete");
    let points = 0;
    let hasLeft = false;
    for (let point = 1; point <= mostPoints; point += 1) {
      await rm(join(scene.place, "killed-vault"), { recursive: true, force: true });
      const end = await runKilled(scene, { kind: "capture" }, point);
      if (end === "ended") break;
      points = point;
      hasLeft ||= readdirSync(scene.srv).length > 1;
    }
    expect(points).toBeGreaterThanOrEqual(4);
    expect(hasLeft).toBe(true);
    await rm(scene.vault, { recursive: true });
    await captureSqliteInto(scene.context, scene.vault);
    expect(readdirSync(scene.srv)).toEqual(["shop.db"]);
    expect(existsSync(join(scene.vault, scene.path))).toBe(true);
  });
});
