/** Spans over real HTTP to a stand-in of a collector: it takes what OTLP says, and answers as the specification lets it. */
import { once } from "node:events";
import { type IncomingHttpHeaders, type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Span } from "../../core/trace/run-spans.ts";
import { exportSpans } from "./export-spans.ts";
import { type OtlpSettings, readOtlpSettings } from "./otlp-settings.ts";

const attributeSchema = z.strictObject({
  key: z.string(),
  value: z.union([
    z.strictObject({ stringValue: z.string() }),
    z.strictObject({ intValue: z.string().regex(/^-?\d+$/) }),
    z.strictObject({ doubleValue: z.number() }),
    z.strictObject({ boolValue: z.boolean() }),
  ]),
});
const nanoSchema = z.string().regex(/^\d{19}$/);

/** As much of ExportTraceServiceRequest as is sent, strictly. */
const requestSchema = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes: z.array(attributeSchema) }),
      scopeSpans: z.array(
        z.strictObject({
          scope: z.strictObject({ name: z.string(), version: z.string() }),
          spans: z.array(
            z.strictObject({
              traceId: z.string().regex(/^[0-9a-f]{32}$/),
              spanId: z.string().regex(/^[0-9a-f]{16}$/),
              parentSpanId: z.string().optional(),
              name: z.string(),
              kind: z.literal(1),
              startTimeUnixNano: nanoSchema,
              endTimeUnixNano: nanoSchema,
              attributes: z.array(attributeSchema),
              events: z.array(
                z.strictObject({ name: z.string(), timeUnixNano: nanoSchema, attributes: z.array(attributeSchema) }),
              ),
              status: z.strictObject({ code: z.int().optional(), message: z.string().optional() }),
            }),
          ),
        }),
      ),
    }),
  ),
});

let server: Server;
let endpoint: string;
let taken: {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: z.infer<typeof requestSchema>;
}[] = [];
let answers: (readonly [status: number, body: string])[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      taken.push({ path: request.url ?? "", headers: request.headers, body: requestSchema.parse(JSON.parse(text)) });
      const [status, body] = answers.shift() ?? [200, "{}"];
      if (status === 0) return;
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  taken = [];
  answers = [];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const span: Span = {
  traceId: "0b6b8a535a5e4d3c9d0c2f6b8a535a5e",
  spanId: "00f067aa0ba902b7",
  parentSpanId: null,
  name: "recover",
  beganAt: "2026-11-22T15:12:31.125Z",
  endedAt: "2026-11-22T15:13:21.000Z",
  attributes: { "refloat.service": "shop", "refloat.run.number": 42, "refloat.cutover": true, "refloat.part": 0.5 },
  events: [{ at: "2026-11-22T15:12:32.000Z", name: "taken up" }],
  error: { type: "step.check-failed", message: "22 tables" },
};

const settingsOf = (environment: Record<string, string>): OtlpSettings => {
  const choice = readOtlpSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...environment });
  if (choice.kind !== "on") throw new Error(choice.kind);
  return choice.settings;
};

describe("spans", () => {
  it("are handed over as OTLP says, with the headers and the resource of the environment", async () => {
    const settings = settingsOf({
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20hunter2,x-tenant=shop",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=prod",
      OTEL_SERVICE_NAME: "recovery",
    });
    await exportSpans([span], settings, "0.1.0");
    const [{ path, headers, body } = { path: "", headers: {}, body: { resourceSpans: [] } }] = taken;
    expect([path, headers["content-type"], headers.authorization, headers["x-tenant"]]).toEqual([
      "/v1/traces",
      "application/json",
      "Bearer hunter2",
      "shop",
    ]);
    const [{ resource, scopeSpans } = { resource: { attributes: [] }, scopeSpans: [] }] = body.resourceSpans;
    expect(resource.attributes).toContainEqual({ key: "service.name", value: { stringValue: "recovery" } });
    expect(resource.attributes).toContainEqual({ key: "deployment.environment", value: { stringValue: "prod" } });
    const sent = scopeSpans[0]?.spans[0];
    expect(sent).toMatchObject({
      startTimeUnixNano: `${Date.parse(span.beganAt)}000000`,
      status: { code: 2, message: "22 tables" },
    });
    expect(sent?.attributes).toEqual([
      { key: "refloat.service", value: { stringValue: "shop" } },
      { key: "refloat.run.number", value: { intValue: "42" } },
      { key: "refloat.cutover", value: { boolValue: true } },
      { key: "refloat.part", value: { doubleValue: 0.5 } },
      { key: "error.type", value: { stringValue: "step.check-failed" } },
    ]);
  });

  it("are handed over again where the collector asks for it, and not where it refuses them", async () => {
    answers = [[503, ""]];
    await exportSpans([span], settingsOf({}), "0.1.0");
    expect(taken).toHaveLength(2);
    answers = [[400, "no"]];
    await expect(exportSpans([span], settingsOf({}), "0.1.0")).rejects.toMatchObject({ message: "HTTP 400" });
    expect(taken).toHaveLength(3);
  });

  it("are told as undelivered where it is silent, away, or has rejected some", async () => {
    answers = [[0, ""]];
    const soon = settingsOf({ OTEL_EXPORTER_OTLP_TIMEOUT: "150" });
    await expect(exportSpans([span], soon, "0.1.0")).rejects.toMatchObject({ code: "trace.undelivered" });
    answers = [[200, '{"partialSuccess":{"rejectedSpans":"1"}}']];
    await expect(exportSpans([span], settingsOf({}), "0.1.0")).rejects.toMatchObject({
      message: "the collector has rejected 1 spans",
    });
    const away = { ...soon, url: "http://127.0.0.1:1/v1/traces" };
    await expect(exportSpans([span], away, "0.1.0")).rejects.toMatchObject({ code: "trace.undelivered" });
  });
});

it.each([
  [{}, "off"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }, "off"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", OTEL_SDK_DISABLED: "true" }, "off"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", OTEL_TRACES_EXPORTER: "none" }, "off"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "unusable"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "c:4318" }, "unusable"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c/x/" }, "http://c/x/v1/traces"],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c/own", OTEL_EXPORTER_OTLP_ENDPOINT: "http://d" }, "http://c/own"],
] as const)("reads %j as %s", (environment, expected) => {
  const choice = readOtlpSettings(environment);
  expect(choice.kind === "on" ? choice.settings.url : choice.kind).toBe(expected);
});
