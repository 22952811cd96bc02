/** Where traces go, by the standard environment variables of OpenTelemetry. */

export type OtlpSettings = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly resource: Readonly<Record<string, string>>;
};

export type OtlpChoice =
  | { readonly kind: "off" }
  | { readonly kind: "on"; readonly settings: OtlpSettings }
  /** Asked for, in a way that this version cannot serve. */
  | { readonly kind: "unusable"; readonly reason: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** `a=1,b=2`, as in W3C Baggage: percent-encoded. */
const readPairs = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split(",").flatMap((pair) => {
      const at = pair.indexOf("=");
      return at <= 0 ? [] : [[pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())] as const];
    }),
  );

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const set = (environment: Environment, name: string): string | undefined =>
  environment[name] === undefined || environment[name] === "" ? undefined : environment[name];

const usualTimeoutMs = 10_000;

/** What is said for traces alone goes before what is said for all signals. */
export const readOtlpSettings = (environment: Environment): OtlpChoice => {
  const either = (name: string): string | undefined =>
    set(environment, `OTEL_EXPORTER_OTLP_TRACES_${name}`) ?? set(environment, `OTEL_EXPORTER_OTLP_${name}`);
  const own = set(environment, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const shared = set(environment, "OTEL_EXPORTER_OTLP_ENDPOINT");
  if (own === undefined && shared === undefined) return { kind: "off" };
  if (set(environment, "OTEL_SDK_DISABLED")?.toLowerCase() === "true") return { kind: "off" };
  if (set(environment, "OTEL_TRACES_EXPORTER") === "none") return { kind: "off" };
  const protocol = either("PROTOCOL");
  if (protocol === "grpc")
    return { kind: "unusable", reason: "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and traces go over HTTP only: http/json" };
  const url = own ?? `${(shared ?? "").replace(/\/+$/, "")}/v1/traces`;
  if (!URL.canParse(url) || !/^https?:/.test(url))
    return { kind: "unusable", reason: "the endpoint in OTEL_EXPORTER_OTLP_ENDPOINT is no http or https address" };
  const timeoutMs = Number(either("TIMEOUT") ?? usualTimeoutMs);
  const name = set(environment, "OTEL_SERVICE_NAME");
  return {
    kind: "on",
    settings: {
      url,
      headers: readPairs(either("HEADERS") ?? ""),
      timeoutMs: Number.isFinite(timeoutMs) && timeoutMs > 0 ? timeoutMs : usualTimeoutMs,
      resource: {
        "service.name": "refloat",
        ...readPairs(set(environment, "OTEL_RESOURCE_ATTRIBUTES") ?? ""),
        ...(name === undefined ? {} : { "service.name": name }),
      },
    },
  };
};
