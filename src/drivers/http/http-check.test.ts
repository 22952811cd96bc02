import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CheckDriver } from "../../core/ports/driver.ts";
import { createTestCheckContext } from "../../testing/driver-context.ts";
import { httpBundle } from "./http-bundle.ts";

const [check] = httpBundle.checks as [CheckDriver];

let server: Server;
let url: string;
let asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const answers: Record<string, () => void> = {
      "/ok": () => response.writeHead(204).end(),
      "/product": () => response.end("price: 12"),
      "/moved": () => response.writeHead(302, { location: "/ok" }).end(),
      "/broken": () => response.writeHead(502).end("bad gateway"),
      "/never": () => undefined,
      "/cut": () => {
        response.writeHead(200, { "content-length": "100" }).write("part");
        setImmediate(() => response.destroy());
      },
      "/endless": () => {
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(65_536)));
        };
        response.on("drain", more);
        more();
      },
    };
    answers[request.url ?? ""]?.();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const run = (path: string, expected?: object, timeoutMs = 5_000) =>
  check.run(createTestCheckContext({ values: { "self.url": url }, timeoutMs }), {
    http: `\${self.url}${path}`,
    ...(expected === undefined ? {} : { expect: expected }),
  });

describe("an http check", () => {
  test.each([
    ["/ok", undefined, "passed", "HTTP 204"],
    ["/ok", { status: 204 }, "passed", "HTTP 204"],
    ["/ok", { status: 200 }, "failed", "HTTP 204"],
    ["/product", { status: 200, body: "price" }, "passed", "HTTP 200"],
    ["/product", { body: "sold out" }, "failed", 'HTTP 200, but "sold out" is not in the answer'],
    ["/broken", undefined, "failed", "HTTP 502"],
    ["/broken", { status: 502, body: "gateway" }, "passed", "HTTP 502"],
    ["/moved", undefined, "failed", "HTTP 302"],
    ["/moved", { status: 302 }, "passed", "HTTP 302"],
    ["/cut", undefined, "failed", "connection reset"],
    ["/endless", { body: "y" }, "failed", 'HTTP 200, but "y" is not in the first 4 MiB of the answer'],
  ])("of %s that expects %j has %s: %s", async (path, expected, status, found) => {
    asked = [];
    expect(await run(path, expected)).toMatchObject({ subject: `http: ${url}${path}`, kind: "http", status, found });
    expect(asked).toEqual([path]);
  });

  test("that gets no answer in time fails", async () => {
    expect(await run("/never", undefined, 50)).toMatchObject({ status: "failed", found: "no answer in 0.05 s" });
  });

  test("of a closed port fails", async () => {
    const outcome = await check.run(createTestCheckContext(), { http: "http://127.0.0.1:1/" });
    expect(outcome).toMatchObject({ status: "failed", found: "connection refused" });
  });

  test("does not print a secret", async () => {
    const values = { "self.url": `secret!${url.replace("//", "//u:hunter2@")}` };
    const outcome = await check.run(createTestCheckContext({ values }), { http: "${self.url}/ok" });
    expect(outcome).toMatchObject({ status: "passed", subject: "http: ${self.url}/ok" });
    const written = await check.run(createTestCheckContext(), { http: `${url.replace("//", "//u:hunter2@")}/ok` });
    expect(written).toMatchObject({ status: "passed", subject: `http: ${url}/ok` });
  });

  test("stops when it is aborted", async () => {
    const reason = new Error("enough");
    const context = createTestCheckContext({ values: { "self.url": url }, signal: AbortSignal.abort(reason) });
    await expect(check.run(context, { http: "${self.url}/never" })).rejects.toBe(reason);
  });

  test.each(["ftp://127.0.0.1/", "127.0.0.1:80", "http://"])("refuses %s", async (http) => {
    await expect(check.run(createTestCheckContext(), { http })).rejects.toMatchObject({ code: "config.invalid" });
  });
});
