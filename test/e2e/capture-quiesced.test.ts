/**
 * Captures of a service that is held still by its own lines, on PostgreSQL and files under a writer that writes rows before their files and
 * deletes; and every way in which a hold may end: as asked, by the deadline, by SIGKILL of the capture, and with a thaw that fails.
 */
import { existsSync, writeFileSync } from "node:fs";
import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningWorkbench, createWorkbench } from "../../src/create-workbench.ts";
import type { RecoveryPoint } from "../../src/model/manifest.ts";
import { type CaptureEvent, capture } from "../../src/operations/capture.ts";
import { initVault } from "../../src/operations/vault-init.ts";
import { readStatus } from "../../src/operations/status.ts";
import { validateLive } from "../../src/operations/validate-live.ts";
import { isAlive, listProcesses, readEnvironment, signalProcess } from "../../src/platform/process-table.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: TestFolder;
let server: PostgresServer;
let opened: RunningWorkbench;
let refloat: RefloatProgram;

/** Of this test alone, so that its keepers are found among all processes. */
const killed = `killed-${process.pid}`;
const halfway = `halfway-${process.pid}`;
const never = new AbortController().signal;
const at = (name: string): string => join(folder.path, name);

/** A component whose capture goes on as long as a file is there. */
const gate = (file: string): string =>
  `{ type: command, capture: "touch ${at(`${file}-reached`)}; while test -e ${at(file)}; do sleep 0.05; done; echo done", restore: cat, inspect: echo absent, drop: "true" }`;

const declaration = (): string => `
vault: { url: ${at("vault")}, password: "\${file:${at("password")}}" }
services:
  shop:
    quiesce:
      freeze: "cd $SHOP && rm -f paused && touch pause && until test -e paused; do sleep 0.01; done"
      thaw: rm -f "$SHOP/pause"
      atMost: 10m
      environment: { SHOP: ${folder.path} }
    components:
      db: { type: postgres, url: ${server.url("shop")} }
      docs: { type: files, path: ${at("docs")} }
    invariants: { documents-exist: { every: { db: "select name from documents" }, in: { docs: "*.txt" } } }
  loose:
    components:
      db: { type: postgres, url: ${server.url("shop")} }
      gate: ${gate("loose")}
      docs: { type: files, path: ${at("docs")} }
    invariants: { documents-exist: { every: { db: "select name from documents" }, in: { docs: "*.txt" } } }
  slow:
    quiesce: { freeze: "touch ${at("slow")}", thaw: "rm -f ${at("slow")}", atMost: 300ms }
    components: { gate: ${gate("slow")} }
  stuck:
    quiesce: { freeze: "touch ${at("stuck")}", thaw: "test -e ${at("mended")} && rm -f ${at("stuck")}", atMost: 10m }
    components: { notes: { type: files, path: ${at("notes")} } }
  unable:
    quiesce: { freeze: "echo it is busy; exit 3", thaw: "touch ${at("unable-thawed")}", atMost: 20s }
    components: { notes: { type: files, path: ${at("notes")} } }
  ${killed}:
    quiesce: { freeze: "touch ${at("killed")}", thaw: "rm -f ${at("killed")}", atMost: 10m }
    components: { gate: ${gate("killed")} }
  ${halfway}:
    quiesce: { freeze: "touch ${at("begun")}; sleep 300; touch ${at("halfway")}", thaw: "touch ${at("halfway-thawed")}", atMost: 10m }
    components: { notes: { type: files, path: ${at("notes")} } }
`;

beforeAll(async () => {
  folder = await createTestFolder("refloat-quiesced");
  await chmod(folder.path, 0o755);
  server = await startPostgresServer();
  await query(server.url("postgres"), "create database shop");
  await query(server.url("shop"), "create table documents (id bigserial primary key, name text not null)");
  for (const name of ["docs", "notes"]) await mkdir(at(name));
  await writeFile(at("notes/1.txt"), "a note");
  await writeFile(at("password"), "correct horse", { mode: 0o600 });
  await writeFile(at("refloat.yaml"), declaration());
  refloat = refloatIn(folder.path);
  opened = createWorkbench({
    configFile: at("refloat.yaml"),
    vault: null,
    stateDirectory: at("state"),
    log: null,
    verbose: false,
    cache: false,
    environment: {},
    limits: {},
    version: "0.0.0",
    approver: async () => null,
    attendant: { isThere: false, perform: async () => null },
  });
  await initVault(opened.bench, null);
});

afterAll(async () => {
  await opened.close();
  await server.stop();
  await folder.remove();
});

const until = async (what: string, isSo: () => boolean | Promise<boolean>): Promise<void> => {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(20)) if (await isSo()) return;
  expect.fail(`not within a minute: ${what}`);
};

const take = async (service: string): Promise<{ point: RecoveryPoint; events: readonly CaptureEvent[] }> => {
  const events: CaptureEvent[] = [];
  const onEvent = (event: CaptureEvent): void => void events.push(event);
  return { point: await capture(opened.bench, { service, onEvent, signal: never }), events };
};

const warnings = (events: readonly CaptureEvent[]): readonly string[] =>
  events.flatMap((event) => (event.type === "warning" ? [event.message] : []));

const frozenNow = async (service: string) =>
  (await readStatus(opened.bench, { components: false, signal: never })).services.find(
    (one) => one.service.name === service,
  )?.frozen;

/** Ends it, and waits until it is gone. */
const killKeeperOf = async (service: string): Promise<void> => {
  const marker = `freeze-keeper/${service}`;
  const keeper = listProcesses().find(({ pid }) => readEnvironment(pid)?.get("REFLOAT_INSTANCE") === marker);
  if (keeper === undefined) return expect.fail(`${service} has no keeper`);
  signalProcess(keeper, "SIGKILL");
  await until("the keeper is gone", () => !isAlive(keeper));
};

/** Links of a point that lead nowhere, by its own rows and files. */
const brokenLinks = async ({ manifest }: RecoveryPoint): Promise<readonly string[]> => {
  const { bench } = opened;
  const { repository } = await bench.vault();
  const [db, docs] = [manifest.components["db"], manifest.components["docs"]];
  const contents = bench.registry.components.get("postgres")?.contents;
  if (db === undefined || docs === undefined || contents === undefined) return expect.fail("the point lacks a part");
  const table = contents.tables(db).find(({ name }) => name === "documents") ?? expect.fail("no documents");
  let csv = "";
  const rows = contents.rows(await repository.openTree(db.snapshot), db, { table, format: "csv", signal: never });
  for await (const part of rows) csv += Buffer.from(part).toString();
  const files = new Set<string>();
  const snapshot = await repository.openSnapshot(docs.snapshot);
  for await (const { path } of snapshot.list(docs.path, { recursive: false })) files.add(path.split("/").at(-1) ?? "");
  const names = csv
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",")[1] ?? "");
  expect(names.length).toBeGreaterThan(5);
  return names.filter((name) => !files.has(name));
};

/** Writes a row, then its file, and deletes the oldest; honours a pause between two operations. */
const startWriter = async () => {
  const client = new Client({ connectionString: server.url("shop") });
  await client.connect();
  let written = 0;
  const stop = new AbortController();
  const kept: string[] = [];
  const add = async (): Promise<void> => {
    const name = `document-${Date.now()}-${(written += 1)}.txt`;
    await client.query("insert into documents (name) values ($1)", [name]);
    await delay(5);
    await writeFile(at(`docs/${name}`), name);
    kept.push(name);
  };
  const removeOldest = async (): Promise<void> => {
    const name = kept.shift() ?? "";
    await client.query("delete from documents where name = $1", [name]);
    await delay(5);
    await rm(at(`docs/${name}`));
  };
  const running = (async () => {
    while (!stop.signal.aborted) {
      if (existsSync(at("pause"))) {
        writeFileSync(at("paused"), "");
        await delay(5);
      } else {
        await add();
        if (kept.length > 20) await removeOldest();
      }
    }
  })();
  return {
    add,
    removeOldest,
    count: () => written,
    /** The client stays open, for single operations. */
    pause: async () => {
      stop.abort();
      await running;
    },
    client,
  };
};

it("holds no broken link in any round while a writer that honours the freeze goes on", async () => {
  const writer = await startWriter();
  try {
    await until("twenty documents", () => writer.count() > 25);
    for (let round = 0; round < 3; round += 1) {
      const before = writer.count();
      const { point, events } = await take("shop");
      expect(await brokenLinks(point)).toEqual([]);
      const { consistency, invariants } = point.manifest;
      expect(consistency).toMatchObject({
        mode: "quiesced",
        proven: true,
        frozen: { heldMs: expect.any(Number) as number },
      });
      expect(invariants).toMatchObject([{ status: "passed" }]);
      expect(warnings(events)).toEqual([]);
      expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(["frozen", "thawed"]));
      expect(existsSync(at("pause"))).toBe(false);
      await until("the writer goes on", () => writer.count() > before + 2);
    }
  } finally {
    await writer.pause();
    await writer.client.end();
  }
});

it("finds the broken links that a service without a freeze leaves, and calls the point unproven", async () => {
  const writer = await startWriter();
  try {
    await until("twenty documents", () => writer.count() > 25);
    await writer.pause();
    // Nothing holds it: the rows are read, then others come, and what they name goes, before the files are read.
    await writeFile(at("loose"), "");
    const taking = take("loose");
    await until("the rows are read", () => existsSync(at("loose-reached")));
    for (let times = 0; times < 5; times += 1) await writer.removeOldest();
    await writer.client.query("insert into documents (name) values ('still-to-come.txt')");
    await rm(at("loose"));
    const { point } = await taking;
    expect(await brokenLinks(point)).toHaveLength(5);
    expect(point.manifest.consistency).toMatchObject({ mode: "ordered", proven: false });
    expect(point.manifest.invariants).toMatchObject([
      { status: "failed", found: expect.stringContaining("still-to-come.txt") as string },
    ]);
  } finally {
    await writer.pause();
    await writer.client.end();
  }
});

it("thaws at the deadline, and makes a point that says why it is not quiesced", async () => {
  // The thaw opens the gate: the capture would never end if it did not come.
  const { point, events } = await take("slow");
  const why = "the 0.3s of atMost were over before all was read";
  expect(point.manifest.consistency).toMatchObject({ mode: "single", proven: false, unquiesced: why });
  expect(point.manifest.consistency.frozen).toBeUndefined();
  expect(warnings(events)).toEqual([`the point is not quiesced: ${why}`]);
  const { subjects } = await validateLive(opened.bench, "slow", never);
  const findings = subjects.find(({ subject }) => subject === "quiesce")?.report.findings;
  expect(findings?.filter(({ ok }) => !ok)).toMatchObject([
    { subject: "atMost", found: expect.stringContaining("0.3s; of the last 1 capture") as string, only: "capture" },
  ]);
  expect(existsSync(at("slow"))).toBe(false);
});

it("thaws after a freeze that failed, and says what it said", async () => {
  const { point } = await take("unable");
  expect(existsSync(at("unable-thawed"))).toBe(true);
  expect(point.manifest.consistency).toMatchObject({
    mode: "single",
    unquiesced: 'freeze: "echo it is busy; exit 3" failed: exit status 3: it is busy',
  });
});

it("tells loudly that a service may still be frozen, until a thaw succeeds", async () => {
  const failed = await refloat.run(["capture", "stuck"]);
  expect(failed.exit).toBe(6);
  expect(failed.stderr).toContain("error service.frozen: stuck may still be frozen");
  expect(failed.stderr).toMatch(/point [0-9a-f]{8} was made and is whole/);
  expect(failed.stderr).toContain("refloat capture stuck");
  expect(await frozenNow("stuck")).toMatchObject({ isKept: false, failure: { reason: expect.any(String) as string } });

  await writeFile(at("mended"), "");
  const { point, events } = await take("stuck");
  expect(warnings(events)).toMatchObject([expect.stringContaining("stuck was left frozen at")]);
  expect(point.manifest.consistency.mode).toBe("quiesced");
  expect(await frozenNow("stuck")).toBeNull();
});

it("thaws when the capture is killed, after the freeze and in the middle of it", async () => {
  await writeFile(at("killed"), "");
  const first = refloat.spawn(["capture", killed]);
  await until("the gate is reached", () => existsSync(at("killed-reached")));
  expect(await frozenNow(killed)).toMatchObject({ isKept: true, failure: null });
  await expect(take(killed)).rejects.toMatchObject({
    code: "run.in-progress",
    message: `${killed} is held still by another capture`,
  });
  first.kill("SIGKILL");
  await first;
  await until("the service is thawed", () => !existsSync(at("killed")));
  await until("nothing is left", async () => (await frozenNow(killed)) === null);

  const other = refloat.spawn(["capture", halfway]);
  await until("the freeze is begun", () => existsSync(at("begun")));
  other.kill("SIGKILL");
  await other;
  await until("nothing is left", async () => (await frozenNow(halfway)) === null);
  expect(existsSync(at("halfway-thawed"))).toBe(true);
  // The freeze itself was ended before the thaw, so that it freezes nothing after it.
  expect(existsSync(at("halfway"))).toBe(false);
  const ofIt = `refloat/quiesce/${halfway}`;
  const isGone = () => listProcesses().every(({ pid }) => readEnvironment(pid)?.get("REFLOAT_STEP") !== ofIt);
  await until("keeper and freeze are gone", isGone);
});

it("thaws first what was left when capture and keeper were both killed", async () => {
  await rm(at("killed-reached"));
  const program = refloat.spawn(["capture", killed]);
  await until("the gate is reached", () => existsSync(at("killed-reached")));
  // Stopped, the capture cannot take over from its keeper.
  program.kill("SIGSTOP");
  await killKeeperOf(killed);
  program.kill("SIGKILL");
  await program;
  expect(await frozenNow(killed)).toMatchObject({ isKept: false, failure: null });
  expect(existsSync(at("killed"))).toBe(true);
  await rm(at("killed-reached"));
  const next = take(killed);
  await until("the gate is reached", () => existsSync(at("killed-reached")));
  await rm(at("killed"));
  const { point, events } = await next;
  expect(warnings(events)).toMatchObject([expect.stringContaining(`${killed} was left frozen at`)]);
  expect(point.manifest.consistency.mode).toBe("quiesced");
});

it("takes over from a keeper that was killed, and calls nothing quiesced then", async () => {
  await rm(at("killed-reached"));
  const events: CaptureEvent[] = [];
  const onEvent = (event: CaptureEvent): void => void events.push(event);
  const taking = capture(opened.bench, { service: killed, onEvent, signal: never });
  await until("the gate is reached", () => existsSync(at("killed-reached")));
  await killKeeperOf(killed);
  // The thaw, which opens the gate, is run by another keeper.
  const { manifest } = await taking;
  expect(manifest.consistency.unquiesced).toBe("the process that kept the freeze was ended before all was read");
  expect(await readdir(at("state/quiesce"))).not.toContain(`${killed}.json`);
});
