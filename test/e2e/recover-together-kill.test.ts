/**
 * Accounts in PostgreSQL, and a shop of pages and an application that asks the accounts: recovered together by one plan, whose process is killed in
 * the middle, also where only the vault knows of it; refused while one of them is being worked on; taken back alone or together.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type NotesService, startNotesService } from "./support/notes-service.ts";
import { refloatIn } from "./support/refloat-program.ts";

/** Answers as long as there is a page and anybody has an account: on a damaged side too, to which an undo can go back. */
const server = `
const { execFile } = require("node:child_process");
const { readFileSync } = require("node:fs");
require("node:http").createServer((request, response) =>
  execFile("psql", [process.env.ACCOUNTS, "-tAc", "select count(*) from accounts"], (error, out) => {
    const right = error === null && Number(out) > 0 && readFileSync(process.env.PAGES + "/index", "utf8") !== "";
    response.statusCode = right ? 200 : 500;
    response.end(String(out));
  }),
).listen(Number(process.env.PORT), "127.0.0.1");
`;

let notes: NotesService;
let application: ChildProcess;
/** Of applications that recoveries have started. */
const started = new Set<number>();
const at = (name: string): string => join(notes.folder, name);

beforeAll(async () => {
  notes = await startNotesService();
  const port = await findFreePort(4);
  await notes.query("create database accounts", "postgres");
  await notes.query("create table accounts (name text primary key)", "accounts");
  await notes.query("insert into accounts values ('anna'), ('ben')", "accounts");
  for (const name of ["pages", "app"]) await mkdir(at(name));
  await writeFile(at("pages/index"), "as captured");
  await writeFile(at("app/server.js"), server);
  const [vault = ""] = (await readFile(at("refloat.yaml"), "utf8")).split("services:");
  await writeFile(
    at("refloat.yaml"),
    `${vault}services:
  identity:
    objectives: { rto: 10m }
    components:
      accounts:
        type: postgres
        url: ${notes.server.url("accounts")}
        checks: [{ sql: select count(*) = 2 from accounts }]
  shop:
    criticality: critical
    components:
      pages: { type: files, path: ${at("pages")} }
      app:
        type: process
        release: ${at("app")}
        start: ${process.execPath} server.js
        ports: ${port}-${port + 3}
        dependsOn: [pages]
        environment: { PORT: "\${self.port}", PAGES: "\${pages.path}", ACCOUNTS: "\${identity.accounts.url}" }
        checks: [{ http: "\${self.url}/" }]
`,
  );
  application = spawn(process.execPath, ["server.js"], {
    cwd: at("app"),
    env: { ...process.env, PORT: String(port), PAGES: at("pages"), ACCOUNTS: notes.server.url("accounts") },
    stdio: "ignore",
  });
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await answers())) await delay(50);
  await notes.refloat.succeed(["vault", "init"]);
  await notes.refloat.succeed(["capture", "identity"]);
  await notes.refloat.succeed(["capture", "shop"]);
}, 300_000);

afterAll(async () => {
  application.kill("SIGKILL");
  for (const pid of started)
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It was fenced by a later run.
    }
  await notes.stop();
});

const damage = async (): Promise<void> => {
  await notes.query("delete from accounts where name = 'ben'", "accounts");
  await writeFile(at("pages/index"), "damaged");
};

const runs = async () => {
  const { lines } = await notes.refloat.succeed(["runs", "--json"]);
  const { data } = resultEnvelopeSchema("runs").parse(lines.at(-1));
  for (const { steps } of data)
    for (const { output } of steps) {
      const pid = (output?.["process"] as { readonly pid?: number } | undefined)?.pid;
      if (pid !== undefined) started.add(pid);
    }
  return data;
};

const newest = async (count: number): Promise<readonly string[]> =>
  (await runs()).slice(0, count).map(({ service, purpose, state }) => `${service} ${purpose} ${state}`);

const isRight = async (): Promise<void> => {
  const [row] = await notes.query("select count(*) as n from accounts", "accounts");
  expect(Number(row?.["n"])).toBe(2);
  expect(await readFile(at("pages/index"), "utf8")).toBe("as captured");
};

/** Nothing of a run stands beside what serves but the old sides. */
const nothingLeft = async (): Promise<void> => {
  expect((await notes.databases()).filter((name) => /_r\d+$/.test(name))).toEqual([]);
  expect((await readdir(notes.folder)).filter((name) => /^[a-z]+\.r\d+/.test(name))).toEqual([]);
};

const hasSaid = async (program: ReturnType<NotesService["refloat"]["spawn"]>, what: RegExp): Promise<void> => {
  let said = "";
  let isOver = false;
  program.stdout?.on("data", (text: Buffer) => (said += text.toString()));
  void program.then(() => (isOver = true));
  while (!what.test(said)) {
    if (isOver) throw new Error(`it ended first: ${said}`);
    await delay(5);
  }
};

it("is finished by one resume of either run, wherever its process was killed", { timeout: 600_000 }, async () => {
  for (const [index, sequence] of [2, 9, 14].entries()) {
    await damage();
    const killed = await notes.refloat.run(["recover", "shop", "--with-needs", "--yes"], {
      REFLOAT_FAULT: `kill-after:${sequence}`,
    });
    expect(killed.signal, `${killed.stdout}\n${killed.stderr}`).toBe("SIGKILL");
    const [shop, identity] = await runs();
    const resumed = await notes.refloat.run(["resume", String((index % 2 === 0 ? shop : identity)?.number)]);
    expect(resumed.exit, `kill-after:${sequence}\n${resumed.stdout}\n${resumed.stderr}`).toBe(0);
    expect(await newest(2)).toEqual(["shop recover succeeded", "identity recover succeeded"]);
    await isRight();
    await nothingLeft();
  }
});

it("is finished where its process is killed at any moment", { timeout: 600_000 }, async () => {
  for (let turn = 0; turn < 2; turn += 1) {
    await damage();
    const known = (await runs()).length;
    const program = notes.refloat.spawn(["recover", "shop", "--with-needs", "--yes", "--json"]);
    await hasSaid(program, /"event":"run"/);
    await delay(Math.random() * 2500);
    program.kill("SIGKILL");
    await program;
    const [last] = await runs();
    expect((await runs()).length).toBe(known + 2);
    if (last?.state !== "succeeded") await notes.refloat.succeed(["resume", String(last?.number)]);
    expect(await newest(2)).toEqual(["shop recover succeeded", "identity recover succeeded"]);
    await isRight();
    await nothingLeft();
  }
});

it("is finished on a machine that has nothing but the vault", { timeout: 300_000 }, async () => {
  await damage();
  const program = notes.refloat.spawn(["recover", "shop", "--with-needs", "--yes", "--json"]);
  await hasSaid(program, /"step":"switch:accounts","state":"done"/);
  program.kill("SIGKILL");
  await program;
  const [, identity] = await runs();
  const elsewhere = refloatIn(notes.folder, at("elsewhere"));
  await elsewhere.succeed(["resume", identity?.uid ?? "", "--yes"]);
  const { lines } = await elsewhere.succeed(["runs", "--json"]);
  const taken = resultEnvelopeSchema("runs").parse(lines.at(-1)).data;
  expect(taken.map(({ service, state }) => `${service} ${state}`).toSorted()).toEqual([
    "identity succeeded",
    "shop succeeded",
  ]);
  for (const { steps } of taken)
    for (const { output } of steps) {
      const pid = (output?.["process"] as { readonly pid?: number } | undefined)?.pid;
      if (pid !== undefined) started.add(pid);
    }
  await isRight();
  // Here both are known to have ended there.
  for (const { number } of (await runs()).slice(0, 2)) await notes.refloat.run(["resume", String(number)]);
  expect(await newest(2)).toEqual(["shop recover succeeded", "identity recover succeeded"]);
});

it(
  "is refused as a whole while a run of one of them is not finished, which is named",
  { timeout: 300_000 },
  async () => {
    await damage();
    const before = (await runs()).length;
    const joint = resultEnvelopeSchema("joint-plan").parse(
      (await notes.refloat.succeed(["plan", "shop", "--with-needs", "--json"])).lines.at(-1),
    ).data;
    const alone = resultEnvelopeSchema("plan").parse(
      (await notes.refloat.succeed(["plan", "identity", "--approve", "--json"])).lines.at(-1),
    ).data;
    // Nobody is there to answer.
    expect((await notes.refloat.run(["recover", "--plan", alone.digest])).exit).not.toBe(0);
    const refused = await notes.refloat.run(["recover", "--plan", joint.digest]);
    expect(refused.exit).not.toBe(0);
    const last = await runs();
    expect(last).toHaveLength(before + 1);
    expect(last[0]).toMatchObject({ service: "identity", state: "waiting" });
    expect(refused.stderr).toContain(`run ${last[0]?.number} of identity is not finished`);
    await notes.refloat.succeed(["cancel", String(last[0]?.number)]);
    await nothingLeft();
  },
);

it("takes one service back alone, or all of them, what was put back last first", { timeout: 300_000 }, async () => {
  await notes.refloat.succeed(["recover", "shop", "--with-needs", "--yes"]);
  const [shop, identity] = await runs();
  const both = await notes.refloat.succeed(["undo", String(shop?.number), "--with-needs", "--yes"]);
  expect(both.stdout).toContain("taken back together");
  expect(await newest(2)).toEqual(["identity undo succeeded", "shop undo succeeded"]);
  expect(await readFile(at("pages/index"), "utf8")).toBe("damaged");
  const records = await runs();
  const find = (number: number | undefined, step: string) =>
    records.find((run) => run.number === number)?.steps.find(({ id }) => (id as string) === step);
  expect(Date.parse(find(records[0]?.number, "switch:accounts")?.beganAt ?? "")).toBeGreaterThanOrEqual(
    Date.parse(find(records[1]?.number, "start:app")?.endedAt ?? "NaN"),
  );
  expect(records.filter(({ number }) => number === shop?.number || number === identity?.number)).toMatchObject([
    { state: "undone" },
    { state: "undone" },
  ]);

  await notes.refloat.succeed(["recover", "shop", "--with-needs", "--yes"]);
  const [again] = await runs();
  await notes.refloat.succeed(["undo", String(again?.number), "--yes"]);
  expect(await newest(3)).toEqual(["shop undo succeeded", "shop recover undone", "identity recover succeeded"]);
  expect(await readFile(at("pages/index"), "utf8")).toBe("damaged");
});
