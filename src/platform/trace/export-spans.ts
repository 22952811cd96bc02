/** Hands spans to an OpenTelemetry collector: OTLP over HTTP, as JSON (https://opentelemetry.io/docs/specs/otlp/). docs/design/traces.md says why by hand. */
import { setTimeout as delay } from "node:timers/promises";
import type { AttributeValue, Span } from "../../core/trace/run-spans.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { OtlpSettings } from "./otlp-settings.ts";

const nanoseconds = (instant: string): string => `${BigInt(Date.parse(instant)) * 1_000_000n}`;

const valueOf = (value: AttributeValue): object => {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  // Integers are strings in the JSON of protobuf.
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
};

const attributesOf = (attributes: Readonly<Record<string, AttributeValue>>): readonly object[] =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }));

const internalKind = 1;
const errorStatus = 2;

const spanOf = ({
  traceId,
  spanId,
  parentSpanId,
  name,
  beganAt,
  endedAt,
  attributes,
  events,
  error,
}: Span): object => ({
  traceId,
  spanId,
  ...(parentSpanId === null ? {} : { parentSpanId }),
  name,
  kind: internalKind,
  startTimeUnixNano: nanoseconds(beganAt),
  endTimeUnixNano: nanoseconds(endedAt),
  attributes: attributesOf(error === null ? attributes : { ...attributes, "error.type": error.type }),
  events: events.map((event) => ({ name: event.name, timeUnixNano: nanoseconds(event.at), attributes: [] })),
  status: error === null ? {} : { code: errorStatus, message: error.message },
});

/** Those that the specification lets be tried again. */
const mayPass: ReadonlySet<number> = new Set([429, 502, 503, 504]);

const firstPauseMs = 500;

/** @throws RefloatError trace.undelivered, without the headers, which may be secret */
export const exportSpans = async (
  spans: readonly Span[],
  { url, headers, timeoutMs, resource }: OtlpSettings,
  version: string,
): Promise<void> => {
  const body = JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributesOf({ ...resource, "service.version": version }) },
        scopeSpans: [{ scope: { name: "refloat", version }, spans: spans.map(spanOf) }],
      },
    ],
  });
  const signal = AbortSignal.timeout(timeoutMs);
  let last = "no answer in time";
  for (let pauseMs = firstPauseMs; ; pauseMs *= 2) {
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "user-agent": `refloat/${version}`, ...headers, "content-type": "application/json" },
        body,
        signal,
        redirect: "error",
      });
      const said = await answer.text();
      if (answer.ok) return refusePartial(said);
      last = `HTTP ${answer.status}`;
      if (!mayPass.has(answer.status)) break;
    } catch (error) {
      if (error instanceof RefloatError) throw error;
      if (signal.aborted) break;
      const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
      last = cause?.code ?? "the collector cannot be reached";
    }
    if (!(await delay(pauseMs, true, { signal }).catch(() => false))) break;
  }
  throw new RefloatError("trace.undelivered", last);
};

const refusePartial = (said: string): void => {
  let rejected = 0;
  try {
    const { partialSuccess } = JSON.parse(said) as {
      readonly partialSuccess?: { readonly rejectedSpans?: number | string };
    };
    rejected = Number(partialSuccess?.rejectedSpans ?? 0);
  } catch {
    // An answer without a body, or in another form, has taken all.
  }
  if (rejected > 0) throw new RefloatError("trace.undelivered", `the collector has rejected ${rejected} spans`);
};
