import { type AddressInfo, createServer } from "node:net";
import { once } from "node:events";
import { expect, test } from "vitest";
import type { CheckDriver } from "../../core/ports/driver.ts";
import { createTestCheckContext } from "../../testing/driver-context.ts";
import { tcpBundle } from "./tcp-bundle.ts";

const [check] = tcpBundle.checks as [CheckDriver];

test("a port that accepts passes, and a closed one fails", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const context = createTestCheckContext({ values: { "self.address": `127.0.0.1:${port}` } });
  expect(await check.run(context, { tcp: "${self.address}" })).toMatchObject({
    subject: `tcp: 127.0.0.1:${port}`,
    status: "passed",
    found: "connected",
  });
  server.close();
  await once(server, "close");
  expect(await check.run(context, { tcp: "${self.address}" })).toMatchObject({
    status: "failed",
    found: "connection refused",
  });
});

test("an abort ends it", async () => {
  const reason = new Error("enough");
  const context = createTestCheckContext({ signal: AbortSignal.abort(reason) });
  await expect(check.run(context, { tcp: "127.0.0.1:1" })).rejects.toBe(reason);
});

test.each(["127.0.0.1", "127.0.0.1:0", "::1:25", "host:port"])("%s is no address", async (tcp) => {
  await expect(check.run(createTestCheckContext(), { tcp })).rejects.toMatchObject({ code: "config.invalid" });
});
