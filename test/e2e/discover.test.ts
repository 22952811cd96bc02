import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findFreePort } from "../../src/testing/free-port.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diagnosticText } from "../../src/core/declaration/diagnostic-text.ts";
import { parseDeclaration } from "../../src/core/declaration/parse-declaration.ts";
import { declarationText } from "../../src/core/init/declaration-text.ts";
import type { MachineFindings } from "../../src/core/init/machine-findings.ts";
import { proposeServices } from "../../src/core/init/propose-services.ts";
import { driverRegistry } from "../../src/driver-registry.ts";
import { discoverMachine } from "../../src/platform/discover.ts";
import { type HaproxyServer, startHaproxy } from "../../src/testing/haproxy-server.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";

const program = `
import { createServer } from "node:http";
import { connect } from "node:net";
createServer((_request, response) => response.end("ok")).listen(Number(process.env.PORT), "127.0.0.1", () => {
  const database = connect(Number(new URL(process.env.DATABASE_URL).port), "127.0.0.1", () => console.log("ready"));
  database.on("error", () => process.exit(1));
});
process.stdin.resume().on("end", () => process.exit(0));
`;

let folder: string;
let postgres: PostgresServer;
let haproxy: HaproxyServer;
let app: ChildProcess;
let port: number;
let findings: MachineFindings;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "refloat-discover-")));
  postgres = await startPostgresServer();
  await query(postgres.url("postgres"), "create role shop login");
  await query(postgres.url("postgres"), "create database bookshop owner shop");
  await query(postgres.url("postgres"), 'create database "Un Used"');
  const release = join(folder, "bookshop/releases/2.5.0");
  await mkdir(join(folder, "bookshop/uploads"), { recursive: true });
  await mkdir(release, { recursive: true });
  await symlink("releases/2.5.0", join(folder, "bookshop/current"));
  await writeFile(join(release, "server.mjs"), program);
  port = await findFreePort();
  haproxy = await startHaproxy({ backend: "web", servers: { app: `127.0.0.1:${port}` }, directory: folder });
  app = spawn(process.execPath, ["server.mjs", "--api-token", "hunter7"], {
    cwd: release,
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"],
      PORT: String(port),
      DATABASE_URL: `postgres://shop:hunter8@127.0.0.1:${postgres.port}/bookshop`,
      UPLOADS: join(folder, "bookshop/uploads"),
      RELEASE: release,
      MODE: "hunter9",
    },
  });
  const stdout = app.stdout;
  if (stdout === null) throw new Error("no output to wait for");
  await once(createInterface(stdout), "line");
  findings = await discoverMachine(new AbortController().signal);
});

afterAll(async () => {
  if (app?.exitCode === null) {
    app.kill();
    await once(app, "exit");
  }
  await haproxy?.stop();
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("what is found on this machine", () => {
  test("the PostgreSQL server, its version and databases with owners and sizes", () => {
    const found = findings.postgres.find((server) => server.port === postgres.port);
    expect(found).toMatchObject({ socketDirectory: postgres.socketDirectory, tcp: true, problem: null });
    expect(found?.missingRole).toBe(userInfo().username);
    expect(found?.version).toMatch(/^\d+\.\d+$/);
    expect(found?.databases?.map(({ name, owner }) => [name, owner])).toEqual([
      ["Un Used", "postgres"],
      ["bookshop", "shop"],
    ]);
    expect(found?.databases?.every(({ sizeBytes }) => sizeBytes > 1_000_000)).toBe(true);
  });

  test("the application: its folder by its stable name, ports, connections, and what its variables mean", () => {
    const found = findings.processes.find(({ pid }) => pid === app.pid);
    expect(found).toMatchObject({
      workingDirectory: join(folder, "bookshop/releases/2.5.0"),
      releaseLink: join(folder, "bookshop/current"),
      words: [process.execPath, "server.mjs", "--api-token", "***"],
      ports: [port],
      connectsTo: [postgres.port],
    });
    expect(Object.fromEntries((found?.variables ?? []).map(({ name, meaning }) => [name, meaning]))).toEqual({
      PORT: { kind: "port" },
      DATABASE_URL: {
        kind: "database",
        form: "url",
        host: "127.0.0.1",
        port: postgres.port,
        database: "bookshop",
        user: "shop",
        hasPassword: true,
      },
      UPLOADS: { kind: "folder", path: join(folder, "bookshop/uploads") },
      RELEASE: { kind: "unknown" },
      MODE: { kind: "unknown" },
    });
  });

  test("HAProxy, with the socket that may change it and the server that leads to the application", () => {
    const found = findings.haproxy.find(({ configFile }) => configFile === haproxy.configPath);
    expect(found?.config).toMatchObject({
      adminSocket: haproxy.socket,
      servers: [{ backend: "web", server: "app", host: "127.0.0.1", port }],
    });
  });

  test("no value of a variable and no secret of a command line", () => {
    expect(JSON.stringify(findings)).not.toMatch(/hunter\d/);
  });
});

test.skipIf(process.getuid?.() !== 0)(
  "a user who may not look is told what he did not see, and what would help",
  async () => {
    const source = join(import.meta.dirname, "../../src/platform/discover.ts");
    const look = `const { discoverMachine } = await import(${JSON.stringify(source)});
    console.log(JSON.stringify(await discoverMachine(new AbortController().signal)));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", look], {
      cwd: "/",
      uid: 65_534,
      gid: 65_534,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    for await (const chunk of child.stdout.setEncoding("utf8")) said += String(chunk);
    const seen = JSON.parse(said) as MachineFindings;
    expect(seen.postgres.find((server) => server.port === postgres.port)).toEqual({
      port: postgres.port,
      socketDirectory: postgres.socketDirectory,
      tcp: true,
      version: null,
      databases: null,
      missingRole: null,
      problem: {
        found: "Permission denied",
        hint: "run refloat init as root or as the user that the server runs as, or declare its databases by hand",
      },
    });
    expect(seen.processes.filter(({ pid }) => pid === app.pid)).toEqual([]);
    expect(seen.gaps.at(-1)).toMatch(
      new RegExp(`^what listens on .*\\b${port}\\b.* belongs to other users; run refloat init as root to see it$`),
    );
  },
);

test("one service is proposed for what belongs together, another for the database that nobody uses", () => {
  const proposal = proposeServices(findings);
  const ours = proposal.services.filter(({ components }) =>
    components.some(({ lines }) =>
      lines.some(({ value }) => value.includes(folder) || value.includes(String(postgres.port))),
    ),
  );
  const text = declarationText(
    { ...proposal, services: ours, notes: [] },
    { vaultUrl: join(folder, "vault"), passwordFile: join(folder, "password"), schema: "refloat.schema.json" },
  );
  const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", driverRegistry);
  expect(diagnostics.map(diagnosticText).join("\n")).toBe("");
  const shop = declaration?.services["bookshop"];
  expect(shop?.probe?.options).toEqual({ http: `http://127.0.0.1:${haproxy.port}/` });
  expect(Object.entries(shop?.components ?? {}).map(([name, { type }]) => [name, type])).toEqual([
    ["db", "postgres"],
    ["uploads", "files"],
    ["app", "process"],
    ["proxy", "files"],
  ]);
  expect(shop?.components["db"]?.options).toMatchObject({
    url: `postgres://shop@127.0.0.1:${postgres.port}/bookshop`,
    password: "${file:/etc/bookshop/db-password}",
  });
  expect(shop?.components["app"]?.options).toMatchObject({
    release: join(folder, "bookshop/current"),
    environment: { PORT: "${self.port}", DATABASE_URL: "${db.url}", UPLOADS: "${uploads.path}" },
  });
  expect(shop?.components["proxy"]?.dependsOn).toEqual(["app"]);
  expect(shop?.cutover).toMatchObject([
    { kind: "haproxy", options: { haproxy: "web/app", socket: haproxy.socket }, to: "${app.address}" },
  ]);
  const unused = Object.values(declaration?.services ?? {}).find(({ name }) => name !== "bookshop");
  expect(unused).toMatchObject({ name: "un-used", components: { db: { type: "postgres" } } });
});
