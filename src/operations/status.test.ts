/** What status says of services beside each other, over a vault that does not open. */
import { once } from "node:events";
import { type ServerResponse, createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseDeclaration } from "../core/declaration/parse-declaration.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { driverRegistry } from "../driver-registry.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { silentLog } from "../platform/log.ts";
import { createFreezes } from "../platform/quiesce/create-freezes.ts";
import { createDirectories } from "../platform/state-directories.ts";
import { systemClock } from "../platform/system-clock.ts";
import { shopPoint } from "../../test/fixtures/shop.ts";
import { positionAfter } from "../core/logs/log-position.ts";
import type { DriverRegistry } from "../core/ports/driver.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { logEnds, recoverableTo } from "../core/logs/recoverable-to.ts";
import { readStatus } from "./status.ts";

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-status");
});
afterEach(() => folder.remove());

const declarationOf = (text: string) => {
  const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", driverRegistry);
  if (declaration === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return declaration;
};

/** Over a vault that does not open. */
const benchOf = (declaration: ReturnType<typeof declarationOf>): Workbench =>
  ({
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    directories: createDirectories(`${folder.path}/state`),
    freezes: createFreezes(`${folder.path}/state/quiesce`, async () => []),
    declaration: async () => declaration,
    vault: async () => {
      throw new RefloatError("vault.not-found", "there is no vault");
    },
    journal: async () => ({ listRuns: async () => [] }),
    leases: async () => ({}),
  }) as unknown as Workbench;

it("asks services at once, so that one which is waited for keeps none of the others", async () => {
  const asked: ServerResponse[] = [];
  // Nobody is answered before all three have asked.
  const server = createHttpServer((_request, response) => {
    asked.push(response);
    if (asked.length === 3) for (const one of asked) one.end("ok");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const service = (name: string): string => `
  ${name}:
    probe: http://127.0.0.1:${port}/${name}
    components: { docs: { type: files, path: ${folder.path}/${name} } }`;
  const declared = declarationOf(`
vault: { url: ${folder.path}/vault, password: "\${env:UNUSED}" }
services:${["shop", "notes", "wiki"].map(service).join("")}
`);
  const { services } = await readStatus(benchOf(declared), {
    components: true,
    signal: new AbortController().signal,
  }).finally(() => server.close());
  expect(services.map(({ service: { name }, probe }) => [name, probe?.status])).toEqual([
    ["shop", "passed"],
    ["notes", "passed"],
    ["wiki", "passed"],
  ]);
});

it("shows all services when the probe of one cannot even be bound", async () => {
  const stranger = createServer().listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const { port } = stranger.address() as AddressInfo;
  const text = `
vault: { url: ${folder.path}/vault, password: "\${env:UNUSED}" }
services:
  shop:
    probe: http://127.0.0.1:\${app.port}/health
    components:
      app: { type: process, release: ${folder.path}, start: node server.js, ports: "${port}" }
  notes:
    probe: http://127.0.0.1:1/health
    components:
      docs: { type: files, path: ${folder.path} }
`;
  const bench = benchOf(declarationOf(text));
  const { services } = await readStatus(bench, { components: true, signal: new AbortController().signal }).finally(() =>
    stranger.close(),
  );
  expect(services.map(({ service, probe }) => [service.name, probe?.status, probe?.found])).toEqual([
    ["shop", "failed", expect.stringMatching(/^could not be asked: .*on port/)],
    ["notes", "failed", expect.stringContaining("refused")],
  ]);
  // A stranger that has its port says nothing of the application.
  expect(services.map(({ silent }) => silent)).toEqual([
    [{ component: "app", isDown: false, found: expect.stringContaining("on port") }],
    [],
  ]);
});

it("only a log that goes on from the last point counts, and one that does not says so", () => {
  const at = (minute: number): string => new Date(Date.UTC(2026, 10, 22, 14, minute)).toISOString();
  const place = (minute: number): string => positionAfter(BigInt(minute) * 1000n);
  const span = (from: number, to: number, line = "7000/1") => ({
    service: "shop",
    component: "db",
    driver: "postgres",
    line,
    from: place(from),
    to: place(to),
    fromAt: at(from),
    toAt: at(to),
  });
  const registry = {
    components: new Map([["postgres", { logs: { startOf: () => ({ line: "7000/1", from: place(10) }) } }]]),
  } as unknown as DriverRegistry;
  const point = shopPoint({ id: "a1", at: at(10) });
  const db = point.manifest.components["db"];
  if (db === undefined) throw new Error("the shop has no db");
  const alone = { ...point, manifest: { ...point.manifest, components: { db } } };
  const told = (spans: Parameters<typeof logEnds>[2]) => [
    recoverableTo({ registry }, alone, spans),
    ...logEnds({ registry }, alone, spans).map(({ toAt, leadsOn }) => [toAt, leadsOn]),
  ];
  expect(told([span(0, 30)])).toEqual([at(30), [at(30), true]]);
  // A gap after the point, another timeline, and a log that has not come to the point yet.
  expect(told([span(0, 20), span(25, 30)])).toEqual([at(20), [at(30), false]]);
  expect(told([span(0, 20), span(18, 30, "7000/2")])).toEqual([at(20), [at(30), false]]);
  expect(told([span(12, 30)])).toEqual([at(10), [at(30), false]]);
  expect(told([span(0, 9)])).toEqual([at(10), [at(9), true]]);
});
