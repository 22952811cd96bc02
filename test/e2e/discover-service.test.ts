/** What a real application rests on and nobody declared: found from its process tree, proposed as a patch that the file then takes. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

/** Connects to its database, and lets a child hold a file open. */
const program = `
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { connect } from "node:net";
const child = spawn("tail", ["-f", process.env.LEDGER + "/orders.log"], { stdio: ["ignore", "pipe", "inherit"] });
createServer((_request, response) => response.end("ok")).listen(Number(process.env.PORT), "127.0.0.1", () => {
  const database = connect(Number(process.env.DATABASE_PORT), "127.0.0.1", () => child.stdout.once("data", () => console.log("ready")));
  database.on("error", () => process.exit(1));
});
process.stdin.resume().on("end", () => { child.kill(); process.exit(0); });
`;

let folder: string;
let postgres: PostgresServer;
let app: ChildProcess;
let refloat: RefloatProgram;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "refloat-discovered-")));
  await chmod(folder, 0o755);
  postgres = await startPostgresServer();
  await query(postgres.url("postgres"), "create database orders");
  const [release, ledger] = [join(folder, "app/releases/1"), join(folder, "ledger")];
  await mkdir(release, { recursive: true });
  await mkdir(ledger);
  await symlink("releases/1", join(folder, "app/current"));
  await writeFile(join(release, "server.mjs"), program);
  await writeFile(join(ledger, "orders.log"), "order 1\n");
  await writeFile(join(folder, "password"), "correct horse", { mode: 0o600 });
  const port = await findFreePort();
  await writeFile(
    join(folder, "refloat.yaml"),
    `# What the shop is made of.
vault:
  url: ${folder}/vault
  password: \${file:${folder}/password}
services:
  shop:
    components:
      db:
        type: postgres
        url: ${postgres.url("orders")}
      app:
        type: process # nobody remembered what it needs
        release: ${folder}/app/current
        start: node server.mjs
        ports: ${port}
        environment:
          PORT: \${self.port}
`,
  );
  refloat = refloatIn(folder);
  app = spawn(process.execPath, ["server.mjs"], {
    cwd: release,
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"],
      PORT: String(port),
      DATABASE_PORT: String(postgres.port),
      LEDGER: ledger,
      RELAY: "smtp://relay.example.com:587",
      TOKEN: "hunter7",
    },
  });
  const { stdout } = app;
  if (stdout === null) throw new Error("no output to wait for");
  await once(createInterface(stdout), "line");
}, 300_000);

afterAll(async () => {
  if (app?.exitCode === null) {
    app.stdin?.end();
    await once(app, "exit");
  }
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("is found in the whole process tree, told without a value, and taken by the file as a patch", async () => {
  const { lines, stdout } = await refloat.succeed(["discover", "shop", "--json"]);
  const { processes, away, patch } = resultEnvelopeSchema("discover").parse(lines.at(-1)).data;
  expect(away).toEqual([]);
  const [found] = processes;
  expect(found?.component).toBe("app");
  expect(found?.tree.pids).toHaveLength(2);
  expect(found?.tree.files).toContain(join(folder, "ledger/orders.log"));
  expect(found?.tree.peers).toContainEqual({ host: "127.0.0.1", port: postgres.port, local: true });
  expect(found?.tree.hosts).toEqual([{ name: "relay.example.com", variable: "RELAY" }]);
  expect(found?.tree.packages.map(({ name }) => name).join(" ")).toMatch(/libc6/);
  expect(found?.additions.map(({ path, value }) => [path.join("."), value])).toEqual([
    ["components.app.dependsOn", "db"],
    ["components.ledger", { type: "files", path: join(folder, "ledger") }],
    ["components.app.environment.DATABASE_PORT", "${env:DATABASE_PORT}"],
    ["components.app.environment.LEDGER", "${env:LEDGER}"],
    ["components.app.environment.RELAY", "${env:RELAY}"],
    ["components.app.environment.TOKEN", "${env:TOKEN}"],
  ]);
  expect(found?.notes).toContain("app asks DNS for relay.example.com (its RELAY)");
  for (const value of ["hunter7", ":587", "smtp:"]) expect(stdout).not.toContain(value);

  const text = (await refloat.succeed(["discover", "shop"])).stdout;
  expect(text).toMatch(/^Talks to +127\.0\.0\.1:\d+/m);
  expect(text).toContain("+        dependsOn: [ db ]");

  const only = (await refloat.succeed(["discover", "shop", "--patch"])).stdout;
  expect(`${only}\n`).toBe(patch);
  execFileSync("git", ["apply", "-p0", "-"], { cwd: folder, input: patch ?? "" });
  const after = await readFile(join(folder, "refloat.yaml"), "utf8");
  expect(after).toContain("# What the shop is made of.");
  expect(after).toContain("type: process # nobody remembered what it needs");
  await refloat.succeed(["validate"]);
  expect((await refloat.succeed(["discover", "shop"])).stdout).toContain("nothing that runs is undeclared");
});
