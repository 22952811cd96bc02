import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { diagnosticText } from "../declaration/diagnostic-text.ts";
import { parseDeclaration } from "../declaration/parse-declaration.ts";
import { wordRegistry } from "../declaration/test-registry.ts";
import { declarationText } from "./declaration-text.ts";
import type { FoundPostgres, FoundProcess, MachineFindings } from "./machine-findings.ts";
import { proposeServices } from "./propose-services.ts";

const fixtures = join(import.meta.dirname, "../../../test/fixtures/init");

const options = {
  vaultUrl: "/var/lib/refloat/vault",
  passwordFile: "/etc/refloat/password",
  schema: "/usr/lib/node_modules/refloat/schema/refloat.schema.json",
};

const server: FoundPostgres = {
  port: 5432,
  socketDirectory: "/var/run/postgresql",
  tcp: true,
  version: "15.18",
  databases: [
    { name: "shop", owner: "shop", sizeBytes: 412_000_000 },
    { name: "Notes 2", owner: "postgres", sizeBytes: 8_100_000 },
  ],
  missingRole: "root",
  problem: null,
};

const app: FoundProcess = {
  pid: 812,
  user: "shop",
  program: "node",
  words: ["/usr/bin/node", "server.js", "--greeting=it's ${HOME}", "***"],
  workingDirectory: "/srv/shop/releases/2.5.0",
  releaseLink: "/srv/shop/current",
  ports: [8081],
  variables: [
    { name: "PORT", meaning: { kind: "port" } },
    {
      name: "DATABASE_URL",
      meaning: {
        kind: "database",
        form: "url",
        host: "127.0.0.1",
        port: 5432,
        database: "shop",
        user: "shop",
        hasPassword: true,
      },
    },
    { name: "UPLOADS", meaning: { kind: "folder", path: "/srv/shop/uploads" } },
    { name: "SESSION_SECRET", meaning: { kind: "unknown" } },
  ],
  connectsTo: [5432],
  systemdUnit: "shop.service",
};

const nothing: MachineFindings = {
  hostname: "web-1",
  postgres: [],
  processes: [],
  haproxy: [],
  takenPorts: [],
  gaps: [],
};

const shop: MachineFindings = {
  ...nothing,
  postgres: [server],
  processes: [app],
  haproxy: [
    {
      pid: 900,
      configFile: "/etc/haproxy/haproxy.cfg",
      config: {
        adminSocket: "/run/haproxy/admin.sock",
        binds: [{ host: "127.0.0.1", port: 8080 }],
        servers: [{ backend: "shop", server: "app", host: "127.0.0.1", port: 8081 }],
      },
      systemdUnit: "haproxy.service",
    },
  ],
  takenPorts: [5432, 8080, 8081],
  gaps: ["redis-server (pid 44) listens on 6379: declare it as type: redis (docs/redis.md)"],
};

const odd: MachineFindings = {
  ...nothing,
  hostname: "evil\nname: x",
  postgres: [
    {
      ...server,
      port: 5433,
      socketDirectory: "/tmp/pg",
      tcp: false,
      databases: [{ name: "jobs", owner: "j", sizeBytes: 10 }],
    },
    {
      ...server,
      port: 5434,
      databases: null,
      problem: { found: "psql is not installed", hint: "install postgresql-client" },
    },
  ],
  processes: [
    {
      ...app,
      program: "python3",
      words: ["python3", "-m", "worker"],
      workingDirectory: "/opt/9lives",
      releaseLink: null,
      ports: [9001, 9002],
      variables: null,
      connectsTo: [5433],
      systemdUnit: null,
      user: null,
    },
    {
      ...app,
      pid: 813,
      program: "Java",
      words: ["java", "-jar", "a b.jar"],
      workingDirectory: "/srv/jobs",
      releaseLink: null,
      ports: [9100],
      user: "root",
      systemdUnit: null,
      variables: [
        {
          name: "JDBC_URL",
          meaning: {
            kind: "database",
            form: "jdbc",
            host: "localhost",
            port: 5433,
            database: "jobs",
            user: null,
            hasPassword: false,
          },
        },
        { name: "OTHER", meaning: { kind: "unknown" } },
        { name: "DATA", meaning: { kind: "folder", path: "/data/${x}" } },
      ],
    },
  ],
  haproxy: [
    {
      pid: 901,
      configFile: "/etc/haproxy/haproxy.cfg",
      config: {
        adminSocket: null,
        binds: [],
        servers: [{ backend: "jobs", server: "java", host: "127.0.0.1", port: 9100 }],
      },
      systemdUnit: null,
    },
    { pid: 902, configFile: "/root/secret.cfg", config: null, systemdUnit: null },
  ],
  takenPorts: [5433, 9001, 9002, 9100],
};

describe.each([
  ["shop", shop],
  ["odd", odd],
])("what is proposed for the machine %s", (name, findings) => {
  const text = declarationText(proposeServices(findings), options);

  test("reads like a file that a person wrote", async () => {
    await expect(text).toMatchFileSnapshot(join(fixtures, `${name}.yaml`));
  });

  test("has no mistake", () => {
    const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", wordRegistry);
    expect(diagnostics.map(diagnosticText).join("\n")).toBe("");
    expect(declaration).toBeDefined();
  });
});

test("what was found and looks like a reference is none in the file", () => {
  const { declaration } = parseDeclaration(declarationText(proposeServices(odd), options), "f", wordRegistry);
  const [jobs] = Object.values(declaration?.services ?? {});
  expect(jobs?.components["x"]?.options).toMatchObject({ path: "/data/$${x}" });
});

test("an empty machine gets a file that says how a service looks", async () => {
  const text = declarationText(proposeServices(nothing), options);
  await expect(text).toMatchFileSnapshot(join(fixtures, "nothing.yaml"));
  const { diagnostics } = parseDeclaration(text, "refloat.yaml", wordRegistry);
  expect(diagnostics.map(({ code }) => code)).toEqual(["config.empty"]);
});
