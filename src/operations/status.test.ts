/** What status says of services beside each other, over a vault that does not open. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseDeclaration } from "../core/declaration/parse-declaration.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { driverRegistry } from "../driver-registry.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { silentLog } from "../platform/log.ts";
import { createDirectories } from "../platform/state-directories.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { readStatus } from "./status.ts";

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-status");
});
afterEach(() => folder.remove());

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
  const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", driverRegistry);
  if (declaration === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const bench = {
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    directories: createDirectories(`${folder.path}/state`),
    declaration: async () => declaration,
    vault: async () => {
      throw new RefloatError("vault.not-found", "there is no vault");
    },
    journal: async () => ({ listRuns: async () => [] }),
    leases: async () => ({}),
  } as unknown as Workbench;
  const { services } = await readStatus(bench, new AbortController().signal).finally(() => stranger.close());
  expect(services.map(({ service, probe }) => [service.name, probe?.status, probe?.found])).toEqual([
    ["shop", "failed", expect.stringMatching(/^could not be asked: .*on port/)],
    ["notes", "failed", expect.stringContaining("refused")],
  ]);
});
