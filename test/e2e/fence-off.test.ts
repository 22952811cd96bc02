/**
 * An old primary that does not answer, with a client whose commit is on its way: a real PostgreSQL server, stopped by SIGSTOP like a machine
 * that hangs. The service is recovered on another server; the old one must not acknowledge that commit when it wakes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { isAlive, listProcesses, signalProcess } from "../../src/platform/process-table.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

/** Writes one row, says so, and commits when it is told to; then says what came of it. */
const client = `
import { Client } from "pg";
const client = new Client({ connectionString: process.env.URL });
client.on("error", () => undefined);
await client.connect();
await client.query("begin");
await client.query("insert into notes values (2)");
process.stdout.write("written\\n");
await new Promise((told) => process.stdin.once("data", told));
const commit = client.query("commit");
process.stdout.write("committing\\n");
await commit.then(() => process.stdout.write("acknowledged\\n"), () => process.stdout.write("refused\\n"));
process.exit(0);
`;

describe("an old primary that does not answer", { timeout: 300_000 }, () => {
  let folder: string;
  let old: PostgresServer;
  let fresh: PostgresServer;
  let refloat: RefloatProgram;
  let writer: ChildProcess;
  let said: string;

  const at = (name: string): string => join(folder, name);
  const ask = async (server: PostgresServer, sql: string, database = "notes") => {
    const connection = new Client({ connectionString: server.url(database) });
    await connection.connect();
    try {
      return (await connection.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await connection.end();
    }
  };
  const processesOf = (server: PostgresServer) => {
    const file = join(server.directory, "data/postmaster.pid");
    if (!existsSync(file)) return [];
    const [first = ""] = readFileSync(file, "utf8").split("\n");
    return listProcesses().filter(({ pid, parent }) => pid === Number(first) || parent === Number(first));
  };
  const until = async (word: string): Promise<void> => {
    while (!said.includes(word)) await delay(10);
  };
  const declare = async (server: PostgresServer, fence: string): Promise<void> =>
    writeFile(
      at("refloat.yaml"),
      `vault:
  url: ${at("vault")}
  password: \${file:${at("password")}}
services:
  notes:
    components:
      db: { type: postgres, url: "${server.url("notes")}" }
${fence}`,
    );
  /** The machine hangs: nothing of it runs, and the commit lies in its socket. */
  const hang = async (): Promise<void> => {
    for (const one of processesOf(old)) signalProcess(one, "SIGSTOP");
    writer.stdin?.write("commit\n");
    await until("committing");
    writer.kill("SIGSTOP");
    await writeFile(
      at("pids"),
      processesOf(old)
        .map(({ pid }) => pid)
        .join("\n"),
    );
  };
  const wake = async (): Promise<void> => {
    for (const row of (await readFile(at("pids"), "utf8")).split("\n")) {
      try {
        process.kill(Number(row), "SIGCONT");
      } catch {
        // It has been fenced off.
      }
    }
    writer.kill("SIGCONT");
    await once(writer, "close");
  };
  /** What the power switch does: the server and each of its back ends, without a word. It ends when they have ended. */
  const powerOff = (): string => `xargs kill -KILL < ${at("pids")}; until (${isOff()}); do sleep 0.02; done`;
  /** A process that nobody has collected yet is no longer one. */
  const isOff = (): string =>
    `for pid in $(cat ${at("pids")}); do if grep -qs "^State:[[:space:]][^ZX]" /proc/$pid/status; then exit 1; fi; done`;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-fence-"));
    [old, fresh] = await Promise.all([startPostgresServer({ durable: true }), startPostgresServer()]);
    await ask(old, "create database notes", "postgres");
    await ask(old, "create table notes (id int primary key)");
    await ask(old, "insert into notes values (1)");
    await writeFile(at("password"), "correct horse battery staple\n", { mode: 0o600 });
    await declare(old, "");
    refloat = refloatIn(folder);
    await refloat.succeed(["vault", "init"]);
    await refloat.succeed(["capture", "notes"]);
  });
  beforeEach(async () => {
    await ask(old, "delete from notes where id > 1");
    await ask(fresh, "drop database if exists notes with (force)", "postgres");
    said = "";
    writer = spawn(process.execPath, ["--input-type=module", "-e", client], {
      cwd: join(import.meta.dirname, "../.."),
      env: { ...process.env, URL: old.url("notes") },
      stdio: ["pipe", "pipe", "inherit"],
    });
    writer.stdout?.on("data", (text: Buffer) => (said += text.toString()));
    await until("written");
    await hang();
  });
  afterEach(async () => {
    writer.kill("SIGKILL");
    await powerOffByHand();
    await old.start();
  });
  afterAll(async () => {
    await old.stop();
    await fresh.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** As a person would, and the next start finds no trace of what ran. */
  const powerOffByHand = async (): Promise<void> => {
    const all = processesOf(old);
    for (const one of all) signalProcess(one, "SIGKILL");
    // Those of before: once the first one is gone the others have another parent, and hold its memory as long as they die.
    while (all.some(isAlive)) await delay(10);
    await rm(join(old.directory, "data/postmaster.pid"), { force: true });
    for (const name of await readdir(old.socketDirectory)) await rm(join(old.socketDirectory, name));
  };
  const lastRun = async (): Promise<string> => {
    const { lines } = await refloat.succeed(["runs", "--json"]);
    return String(resultEnvelopeSchema("runs").parse(lines.at(-1)).data[0]?.number);
  };

  it("acknowledges the commit when it merely wakes: what must not happen can happen", async () => {
    await wake();
    expect(said).toContain("acknowledged");
  });

  it("is fenced off by a command and its proof before the new side is switched", async () => {
    await declare(
      fresh,
      `    fence:
      - name: old primary
        command: >-
          ${powerOff()}
        proof: >-
          ${isOff()}
`,
    );
    const plan = (await refloat.succeed(["plan", "notes"])).stdout.replaceAll(/\s+/g, " ");
    expect(plan).toContain("cut over db");
    await refloat.succeed(["recover", "notes", "--yes"]);
    await wake();
    expect(said).toContain("refused");
    expect(said).not.toContain("acknowledged");
    expect(await ask(fresh, "select id from notes")).toEqual([{ id: 1 }]);
    // What was not acknowledged is not there either when somebody starts the old side to look.
    await powerOffByHand();
    await old.start();
    expect(await ask(old, "select id from notes order by id")).toEqual([{ id: 1 }]);
  });

  it("waits for a named person where the command cannot reach it, and keeps that person's word", async () => {
    await declare(
      fresh,
      `    fence:
      - name: old primary
        command: echo "no route to host" >&2; exit 1
        expect: its plug is pulled
`,
    );
    const waiting = await refloat.run(["recover", "notes", "--yes"]);
    expect(waiting.exit).toBe(6);
    expect(waiting.stderr + waiting.stdout).toContain("no route to host");
    // Nothing of the new side has been put in place meanwhile.
    expect(await ask(fresh, "select datname from pg_database where datname = 'notes'", "postgres")).toEqual([]);
    const run = await lastRun();
    await expect(refloat.run(["skip", run, "isolate:old-primary", "--reason", "hurry"])).resolves.toMatchObject({
      exit: 2,
    });

    await powerOffByHand();
    await refloat.succeed(["done", run, "old-primary", "--evidence", "pulled the plug of db-1 myself"]);
    await refloat.succeed(["resume", run]);
    await wake();
    expect(said).toContain("refused");
    expect(await ask(fresh, "select id from notes")).toEqual([{ id: 1 }]);
    const report = (await refloat.succeed(["runs", run])).stdout.replaceAll(/\s+/g, " ");
    expect(report).toContain("pulled the plug of db-1 myself");
    // What the command ended with is known, and still told after the resume.
    expect(report).toMatch(/pulled the plug of db-1 myself \(its command failed: exit status 1: no route to host\)/);
    const { stdout: log } = await refloat.succeed(["log", "--json"]);
    expect(log).toContain("pulled the plug of db-1 myself");
  });

  it("is not fenced off twice: a command that was killed half way is looked into by a person", async () => {
    await declare(
      fresh,
      `    fence:
      - name: old primary
        command: echo once >> ${at("commands")}; while true; do sleep 0.05; done
`,
    );
    const killed = refloat.spawn(["recover", "notes", "--yes"]);
    while (!existsSync(at("commands"))) await delay(20);
    killed.kill("SIGKILL");
    await killed;
    const resumed = await refloat.run(["resume", await lastRun()]);
    expect(resumed.exit).toBe(6);
    expect((resumed.stderr + resumed.stdout).replaceAll(/\s+/g, " ")).toContain("its command was begun before");
    expect(await readFile(at("commands"), "utf8")).toBe("once\n");
    expect(processesOf(old).every(isAlive)).toBe(true);
  });
});
