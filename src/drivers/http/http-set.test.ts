/** The http set against a real server that answers as it should, and in all the ways in which it should not. */
import { once } from "node:events";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { type Server as SocketServer, createServer as createSocketServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SetDriver } from "../../core/ports/driver.ts";
import { createTestCheckContext } from "../../testing/driver-context.ts";
import { httpBundle } from "./http-bundle.ts";

const [set] = httpBundle.sets as [SetDriver];

let server: Server;
let url: string;
let asked: string[] = [];
let endless = 0;

const json = (response: ServerResponse, value: unknown): void => {
  response.writeHead(200, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
};
const typed = (response: ServerResponse, type: string, body: string | Buffer): void => {
  response.writeHead(200, { "content-type": type }).end(body);
};
const pour = (response: ServerResponse, type: string, piece: string): void => {
  response.writeHead(200, { "content-type": type });
  endless += 1;
  response.on("close", () => (endless -= 1));
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on("drain", more);
  more();
};

const answers: Record<string, (response: ServerResponse, request: IncomingMessage) => void> = {
  "/invoices": (response) => json(response, { invoices: [{ number: "a-1" }, { number: 2 }, { number: null }, {}] }),
  "/pages": (response) => json(response, { items: ["1", "2"], links: { next: "/pages?after=2" } }),
  "/pages?after=2": (response) => json(response, { items: ["3"], links: { next: `${url}/pages?after=3` } }),
  "/pages?after=3": (response) => json(response, { items: [], links: { next: null } }),
  "/lines": (response) => typed(response, "application/x-ndjson", '{"id":"x"}\n{"id":9007199254740993}\n'),
  "/text": (response) => typed(response, "text/plain", "one\r\ntwo\n\nthree"),
  "/newline": (response) => json(response, ["a\nb"]),
  "/guarded": (response, { headers }) =>
    headers.authorization === "Bearer s3cret" ? json(response, ["in"]) : response.writeHead(401).end("who are you"),
  "/empty": (response) => json(response, []),
  "/down": (response) => response.writeHead(500).end("no\u001B[2Jdatabase"),
  "/moved": (response) => response.writeHead(302, { location: "/invoices" }).end(),
  "/page": (response) => typed(response, "text/html", "<html>log in</html>"),
  "/packed": (response) => response.writeHead(200, { "content-encoding": "br", "content-type": "text/plain" }).end("x"),
  "/broken": (response) => typed(response, "application/json", '{"invoices": ['),
  "/deep": (response) => json(response, { invoices: [{ number: { prefix: "a" } }] }),
  "/binary": (response) => typed(response, "text/plain", Buffer.from([0x61, 0x0a, 0xff, 0xfe, 0x0a])),
  "/zero": (response) => typed(response, "text/plain", "a\u0000b\n"),
  "/circle": (response) => json(response, { items: ["1"], next: "/circle" }),
  "/mixed": (response) => json(response, { items: ["1"], next: "/text" }),
  "/elsewhere": (response) => json(response, { items: ["1"], next: "http://127.0.0.1:1/x" }),
  "/cut": (response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": "100" }).write("a\nb\n");
    setImmediate(() => response.destroy());
  },
  "/silent": () => undefined,
  "/stalled": (response) => void response.writeHead(200, { "content-type": "text/plain" }).write("a\n"),
  "/huge": (response) => pour(response, "application/json", " ".repeat(65_536)),
  "/endless": (response) => pour(response, "text/plain", `${"x".repeat(60_000)}\n`),
  "/one-line": (response) => pour(response, "text/plain", "x".repeat(65_536)),
};

/** Ends its answer by closing the connection, as HTTP/1.0 did. */
let unsealed: SocketServer;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answers[request.url ?? ""]?.(response, request);
  }).listen(0, "127.0.0.1");
  unsealed = createSocketServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\na\nb\n"));
  }).listen(0, "127.0.0.1");
  await Promise.all([once(server, "listening"), once(unsealed, "listening")]);
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  unsealed.close();
});

const read = async (path: string, options: object = {}, timeoutMs = 20_000): Promise<readonly string[]> => {
  const values = { "self.url": url, "file:/token": "secret!s3cret" };
  const context = { ...createTestCheckContext({ values, timeoutMs }), component: "app" };
  const http = path.startsWith("/") ? `\${self.url}${path}` : path;
  let text = "";
  for await (const chunk of set.values(context, { http, ...options })) text += Buffer.from(chunk).toString();
  return text.split("\n").slice(0, -1);
};

describe("a set by http", () => {
  test.each([
    [
      "values of a document, numbers as text, nulls left out",
      "/invoices",
      { values: "invoices[].number" },
      ["a-1", "2"],
    ],
    ["all pages of one server", "/pages", { values: "items[]", next: "links.next" }, ["1", "2", "3"]],
    ["JSON lines, with numbers as they are written", "/lines", { values: "id" }, ["x", "9007199254740993"]],
    ["lines of text", "/text", {}, ["one", "two", "three"]],
    ["a list of values without a path, a newline kept inside of its value", "/newline", {}, ["a\\nb"]],
    ["nothing", "/empty", { values: "[].id" }, []],
  ])("gives %s", async (_what, path, options, expected) => {
    expect(await read(path, options)).toEqual(expected);
  });

  test("asks each page once, in order, and gives headers that hold a secret", async () => {
    asked = [];
    await read("/pages", { values: "items[]", next: "links.next" });
    expect(asked).toEqual(["/pages", "/pages?after=2", "/pages?after=3"]);
    expect(await read("/guarded", { headers: { authorization: "Bearer ${file:/token}" } })).toEqual(["in"]);
  });

  test.each([
    ["an error", "/down", {}, "source.failed", 'the answer answers HTTP 500: "no\\u001b[2Jdatabase"'],
    ["a redirect", "/moved", {}, "source.failed", "HTTP 302"],
    ["a page for people", "/page", {}, "source.unsupported", 'the answer is "text/html"'],
    ["what was packed unasked", "/packed", {}, "source.unsupported", "sends br, which was not asked for"],
    ["half a document", "/broken", { values: "invoices[]" }, "source.unsupported", 'the answer is not JSON: "{'],
    [
      "a path that leads to an object",
      "/deep",
      { values: "invoices[].number" },
      "source.unsupported",
      "invoices[0].number is an object",
    ],
    [
      "a path with a misspelt end",
      "/invoices",
      { values: "invoices[].nummer" },
      "source.unsupported",
      "values: invoices[].nummer is nowhere",
    ],
    [
      "a path with a misspelt begin",
      "/invoices",
      { values: "invoice[].number" },
      "source.unsupported",
      'the document has no "invoice"',
    ],
    [
      "a misspelt next page, which would miss all others",
      "/pages",
      { values: "items[]", next: "link.next" },
      "source.unsupported",
      "next: link.next is not in the answer",
    ],
    [
      "JSON lines that are objects, without a path",
      "/lines",
      {},
      "source.unsupported",
      "line 1 of the answer is an object",
    ],
    [
      "a next page of JSON lines, whose first would be taken for all",
      "/lines",
      { values: "id", next: "links.next" },
      "source.unsupported",
      "the answer is JSON lines, which are all of one page: next: links.next finds no other",
    ],
    [
      "a next page of text",
      "/text",
      { next: "links.next" },
      "source.unsupported",
      "the answer is text/plain, which is all of one page: next: links.next finds no other",
    ],
    [
      "a next page that is text",
      "/mixed",
      { values: "items[]", next: "next" },
      "source.unsupported",
      "page 2 is text/plain, which is all of one page",
    ],
    [
      "a path into text",
      "/text",
      { values: "[].id" },
      "source.unsupported",
      "the answer is text/plain, of which each line is a value: values: [].id finds none in it",
    ],
    ["no text", "/binary", {}, "source.unsupported", "the answer is no text: its begin is not UTF-8"],
    ["a zero byte", "/zero", {}, "source.unsupported", "holds a zero byte"],
    [
      "pages in a circle",
      "/circle",
      { values: "items[]", next: "next" },
      "source.unsupported",
      "which was read before",
    ],
    [
      "a next page elsewhere",
      "/elsewhere",
      { values: "items[]", next: "next" },
      "source.unsupported",
      "which is no address of http://127.0.0.1",
    ],
    ["an answer that was cut", "/cut", {}, "source.unreachable", "does not answer: "],
    ["a document without end", "/huge", {}, "source.unsupported", "a JSON document of more than 16 MiB"],
    ["lines without end", "/endless", {}, "source.unsupported", "all that it answers is larger than 256 MiB"],
    [
      "a line without end",
      "/one-line",
      {},
      "source.unsupported",
      "line 1 of the answer is longer than 65536 characters",
    ],
  ])("refuses %s", async (_what, path, options, code, message) => {
    await expect(read(path, options)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
    // The connection is closed, so that an endless answer ends.
    await expect.poll(() => endless).toBe(0);
  });

  test.each(["/silent", "/stalled"])("refuses what does not end in time: %s", async (path) => {
    await expect(read(path, {}, 100)).rejects.toMatchObject({
      code: "source.failed",
      message: `\${self.url}${path} has not given all of its values in 0.1 s`,
      hint: "allow more by timeout:, or let it give fewer",
    });
  });

  test("refuses lines whose end is that of the connection", async () => {
    const { port } = unsealed.address() as AddressInfo;
    await expect(read(`http://u:hunter2@127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: "source.unsupported",
      message: `http://127.0.0.1:${port}/: the answer does not say where it ends: neither content-length nor chunked`,
    });
  });

  test("says who does not answer, and ends with its signal", async () => {
    await expect(read("http://127.0.0.1:1/")).rejects.toMatchObject({
      code: "source.unreachable",
      message: "http://127.0.0.1:1/ does not answer: connection refused",
    });
    const reason = new Error("enough");
    const context = { ...createTestCheckContext({ signal: AbortSignal.abort(reason) }), component: "app" };
    const readAll = async (): Promise<void> => {
      for await (const _chunk of set.values(context, { http: `${url}/text` }));
    };
    await expect(readAll()).rejects.toBe(reason);
  });

  test.each(["[]", "[].id", "a.b[].c", "a[][].b"])("reads the path %s", (values) => {
    expect(set.options.safeParse({ http: url, values }).success).toBe(true);
  });
  test.each(["", ".a", "a..b", "a.[]", "a b", "$.a", "a[0]"])("has no path %j", (values) => {
    expect(set.options.safeParse({ http: url, values }).success).toBe(values === "$.a");
  });
});
