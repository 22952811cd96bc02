/** Servers that take a connection and never say a word, as a process that is stopped does. */
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, createServer } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { driverRegistry } from "../../driver-registry.ts";
import { silentLog } from "../../platform/log.ts";
import { createDirectories } from "../../platform/state-directories.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { parseDeclaration } from "../declaration/parse-declaration.ts";
import type { ComponentParts } from "../ports/workbench.ts";
import { askComponents } from "./ask-components.ts";
import { withComponents } from "./component-access.ts";

let folder: TestFolder;
let server: Server;
let mostAtOnce: number;
const sockets = new Set<Socket>();

beforeEach(async () => {
  folder = await createTestFolder("refloat-ask-components");
  mostAtOnce = 0;
  server = createServer((socket) => {
    sockets.add(socket);
    mostAtOnce = Math.max(mostAtOnce, sockets.size);
    socket.on("error", () => undefined).resume();
    socket.on("close", () => sockets.delete(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const socket of sockets) socket.destroy();
  server.close();
  await folder.remove();
});

const ask = async (count: number, signal: AbortSignal) => {
  const { port } = server.address() as AddressInfo;
  const names = Array.from({ length: count }, (_, index) => `cache${index}`);
  const text = [
    `vault: { url: ${folder.path}/vault, password: "\${env:UNUSED}" }`,
    "services:",
    "  shop:",
    "    components:",
    ...names.map(
      (name) =>
        `      ${name}: { type: redis, url: "redis://127.0.0.1:${port}", data: ${folder.path}, ports: "7000-7009" }`,
    ),
  ].join("\n");
  const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", driverRegistry);
  const service = declaration?.services["shop"];
  if (service === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const parts = {
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    directories: createDirectories(`${folder.path}/state`),
  } as unknown as ComponentParts;
  return withComponents(parts, { service, locate: () => null, marker: "refloat/status/shop", signal }, (access) =>
    askComponents(access, names, signal),
  );
};

test("who says nothing is down when its time is over, and few are asked at once", async () => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  const waits = vi.spyOn(AbortSignal, "timeout").mockImplementation(() => timeout(1_000));
  const silent = await ask(20, new AbortController().signal);
  expect(silent).toEqual(
    Array.from({ length: 20 }, (_, index) => ({
      component: `cache${index}`,
      isDown: true,
      found: "no answer within 10 s",
    })),
  );
  expect(waits).toHaveBeenCalledWith(10_000);
  expect(mostAtOnce).toBe(8);
});

test("who asks may stop waiting", async () => {
  const stopped = new AbortController();
  const asked = ask(1, stopped.signal);
  server.once("connection", () => stopped.abort(new Error("told to stop")));
  await expect(asked).rejects.toThrow("told to stop");
});
