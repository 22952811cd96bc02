/**
 * The http set: the values of an invariant, asked of an endpoint: a JSON document (paged by the address of the next one that it holds), JSON lines, or
 * lines of text. Whatever a server may answer instead is refused: an endless body, no text, an error, an answer that was cut.
 */
import type { Agent, IncomingMessage } from "node:http";
import { z } from "zod";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { SetContext, SetDriver } from "../../core/ports/driver.ts";
import type { Json } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import {
  type Allowance,
  asSetLines,
  createAllowance,
  decodeText,
  readLines,
  setLimitBytes,
} from "../../platform/set-lines.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { withoutPassword } from "./http-check.ts";
import { type Found, followPath, jsonPathPattern, parseJson, parseJsonPath } from "./json-path.ts";

const pathSchema = z
  .string()
  .regex(jsonPathPattern, "a path is names joined by dots, with [] for each element of a list");

const optionsSchema = z
  .strictObject({
    http: z.string().min(1).meta({
      description:
        "The URL to ask, such as ${self.url}/invoices: JSON, JSON lines (application/x-ndjson) or lines of text.",
    }),
    values: pathSchema.optional().meta({
      description:
        "Where the values stand in the document, or in each JSON line; [] for each element of a list. Not for lines of text.",
      examples: ["invoices[].number", "[].id", "id"],
    }),
    next: pathSchema.optional().meta({
      description:
        "Where the address of the next page stands in a JSON document; null on the last one. All pages are of one server.",
      examples: ["links.next"],
    }),
    headers: z
      .record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string())
      .optional()
      .meta({
        description: "Headers of each request; secrets are references.",
        examples: [{ authorization: "Bearer ${file:/etc/shop/export-token}" }],
      }),
  })
  .meta({ description: "Values that an endpoint lists." });
type HttpSetOptions = z.infer<typeof optionsSchema>;

const pageLimitBytes = 16 * 1024 * 1024;
const jsonLineLength = 1024 * 1024;
const textLineLength = 65_536;

type Asking = {
  readonly options: HttpSetOptions;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
  readonly signal: AbortSignal;
  readonly allowance: Allowance;
};

const refuse = (message: string, hint: string): RefloatError =>
  new RefloatError("source.unsupported", message, { hint });

/** A server's words, fit for a line of a terminal. */
const quoteStart = (text: string): string => JSON.stringify(text.slice(0, 120));

const readUrl = (text: string, declared: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && ["http:", "https:"].includes(url.protocol)) return url;
  throw new RefloatError("config.invalid", `the set "http: ${declared}" is no http or https URL`);
};

const send = async (url: URL, { agent, headers, signal }: Asking): Promise<IncomingMessage> => {
  const { request } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = request(
    url,
    { agent, signal, headers: { ...headers, "user-agent": "refloat", "accept-encoding": "identity" } },
    resolve,
  );
  sent.on("error", reject);
  sent.end();
  return promise;
};

const bodyHead = async (response: IncomingMessage): Promise<string> => {
  for await (const chunk of response as AsyncIterable<Buffer>) return chunk.subarray(0, 200).toString();
  return "";
};

/** The form of what comes, by its own word. */
const formOf = (response: IncomingMessage): "document" | "json-lines" | "text-lines" | null => {
  const [type = ""] = (response.headers["content-type"] ?? "").toLowerCase().split(";");
  if (
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"].includes(type.trim())
  )
    return "json-lines";
  if (/^application\/(.+\+)?json$/.test(type.trim())) return "document";
  return type.trim() === "text/plain" ? "text-lines" : null;
};

/** A key that the form has no use for would be passed over without a word: all pages but the first, or values that stand elsewhere. */
const refuseUnusedKeys = (form: "json-lines" | "text-lines", { options }: Asking, place: string): void => {
  const { values, next } = options;
  const what = form === "json-lines" ? "JSON lines, which are" : "text/plain, which is";
  if (next !== undefined)
    throw refuse(
      `${place} is ${what} all of one page: next: ${next} finds no other`,
      "take next: away, or let it answer application/json",
    );
  if (form === "text-lines" && values !== undefined)
    throw refuse(
      `${place} is text/plain, of which each line is a value: values: ${values} finds none in it`,
      "take values: away, or let it answer application/json or application/x-ndjson",
    );
};

const refuseAnswer = async (response: IncomingMessage, place: string): Promise<void> => {
  const { statusCode: status = 0, headers } = response;
  if (status !== 200) {
    const said = await bodyHead(response);
    throw new RefloatError(
      "source.failed",
      `${place} answers HTTP ${status}${said === "" ? "" : `: ${quoteStart(said)}`}`,
      {
        hint:
          status >= 300 && status < 400
            ? `redirects are not followed: name the address itself${headers.location === undefined ? "" : ` (${headers.location})`}`
            : "ask it by hand, as this machine, and look into the log of its server",
      },
    );
  }
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity")
    throw refuse(`${place} sends ${encoding}, which was not asked for`, "let it send its answer as it is");
};

/** One document, or one line of JSON. */
const parseDocument = (text: string, place: string): Json => {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refuse(`${place} is not JSON: ${quoteStart(text)}`, "its content-type says JSON: ask it by hand");
  }
};

/** Counts what a path has led to: names that are nowhere are misspelt, and would make an empty set without a word. */
const createPicker = (path: string) => {
  const steps = parseJsonPath(path);
  let seen = 0;
  let absent: string | null = null;
  const pick = function* (document: Json, place: string): Iterable<string> {
    for (const found of followPath(document, steps)) {
      const value = take(found, place);
      if (value !== null) yield value;
    }
  };
  const take = (found: Found, place: string): string | null => {
    if (found.kind === "wrong" || (found.kind === "absent" && !found.last))
      throw refuse(
        `values: ${path} finds no value in ${place}: ${found.what}`,
        "look at one answer by hand, and mend the path",
      );
    if (found.kind === "absent") absent ??= `${place}: ${found.what}`;
    else seen += 1;
    return found.kind === "value" ? found.value : null;
  };
  const finish = (): void => {
    if (seen === 0 && absent !== null)
      throw refuse(`values: ${path} is nowhere, as in ${absent}`, "look at one answer by hand, and mend the path");
  };
  return { pick, finish };
};

const collect = async (body: ByteStream, place: string, { allowance }: Asking): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    allowance.take(chunk.length);
    sizeBytes += chunk.length;
    if (sizeBytes > pageLimitBytes)
      throw refuse(
        `${place} is a JSON document of more than ${pageLimitBytes / 1024 / 1024} MiB`,
        "let it give pages (next:), or JSON lines (application/x-ndjson)",
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

/** The address of the next page; null after the last one. */
const nextPage = (
  document: Json,
  current: URL,
  { options }: Asking,
  pages: ReadonlySet<string>,
  place: string,
): URL | null => {
  const { next } = options;
  if (next === undefined) return null;
  const [found] = followPath(document, parseJsonPath(next));
  if (found?.kind === "wrong")
    throw refuse(
      `next: ${next} finds no address in ${place}: ${found.what}`,
      "look at one answer by hand, and mend the path",
    );
  // On a later page it may be left out at the end; on the first that would be a misspelt name, and all other pages would be missed.
  if (found?.kind === "absent" && pages.size === 1)
    throw refuse(
      `next: ${next} is not in ${place}: ${found.what}`,
      "mend the path; an answer without a next page says null",
    );
  if (found?.kind !== "value" || found.value === "" || found.value === "false") return null;
  const url = URL.canParse(found.value, current.href) ? new URL(found.value, current) : null;
  if (url === null || url.origin !== current.origin)
    throw refuse(
      `${place} goes on at ${quoteStart(found.value)}, which is no address of ${current.origin}`,
      "all pages come from one server",
    );
  if (pages.has(url.href))
    throw refuse(`${place} goes on at ${url.pathname}${url.search}, which was read before`, "its pages go in a circle");
  return url;
};

/** A body that ends with its connection looks whole wherever it was cut. */
const refuseUnsealed = ({ headers }: IncomingMessage, place: string): void => {
  if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined) return;
  throw refuse(
    `${place} does not say where it ends: neither content-length nor chunked`,
    "lines that were cut off could not be told from all of them; let its server speak HTTP/1.1",
  );
};

const readPages = async function* (first: URL, asking: Asking): AsyncIterable<string> {
  const { options, allowance } = asking;
  const pages = new Set<string>();
  const picked = options.values === undefined ? null : createPicker(options.values);
  const inDocument = picked ?? createPicker("[]");
  for (let url: URL | null = first; url !== null;) {
    pages.add(url.href);
    const place = pages.size === 1 ? "the answer" : `page ${pages.size}`;
    const response = await send(url, asking);
    try {
      await refuseAnswer(response, place);
      const form = formOf(response);
      const body = response as unknown as ByteStream;
      if (form === null)
        throw refuse(
          `${place} is ${quoteStart(response.headers["content-type"] ?? "of no content-type")}`,
          "values come as application/json, application/x-ndjson or text/plain",
        );
      if (form === "document") {
        const document = parseDocument(decodeText(await collect(body, place, asking), place), place);
        yield* inDocument.pick(document, place);
        url = nextPage(document, url, asking, pages, place);
        continue;
      }
      refuseUnusedKeys(form, asking, place);
      refuseUnsealed(response, place);
      const lineLength = form === "json-lines" ? jsonLineLength : textLineLength;
      for await (const { text, number } of readLines(body, place, { lineLength, allowance })) {
        const line = `line ${number} of ${place}`;
        if (form === "text-lines") yield text;
        else if (picked !== null) yield* picked.pick(parseDocument(text, line), line);
        else yield* scalar(parseDocument(text, line), line);
      }
      url = null;
    } finally {
      response.destroy();
    }
  }
  inDocument.finish();
};

function* scalar(value: Json, place: string): Iterable<string> {
  if (value === null) return;
  if (typeof value === "object")
    throw refuse(`${place} is an object, and no values: says where in it they stand`, "values: id");
  yield String(value);
}

const bindHeaders = async ({ bind }: SetContext, { headers = {} }: HttpSetOptions): Promise<Record<string, string>> => {
  const bound: Record<string, string> = {};
  for (const [name, text] of Object.entries(headers)) bound[name] = (await bind(text)).value;
  return bound;
};

const httpValues = async function* (context: SetContext, options: HttpSetOptions): AsyncIterable<string> {
  const bound = await context.bind(options.http);
  const url = readUrl(bound.value, options.http);
  const { Agent } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const limit = AbortSignal.timeout(context.timeoutMs);
  const asked = withoutPassword(options.http);
  const asking: Asking = {
    options,
    headers: await bindHeaders(context, options),
    agent,
    signal: AbortSignal.any([context.signal, limit]),
    allowance: createAllowance("all that it answers", setLimitBytes),
  };
  try {
    yield* readPages(url, asking);
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted)
      throw new RefloatError(
        "source.failed",
        `${asked} has not given all of its values in ${context.timeoutMs / 1_000} s`,
        {
          cause: error,
          hint: "allow more by timeout:, or let it give fewer",
        },
      );
    if (error instanceof RefloatError)
      throw new RefloatError(error.code, `${asked}: ${error.message}`, {
        cause: error,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    throw new RefloatError("source.unreachable", `${asked} does not answer: ${describeSystemError(error)}`, {
      cause: error,
    });
  } finally {
    agent.destroy();
  }
};

export const httpSet: SetDriver<HttpSetOptions> = {
  kind: "http",
  summary: "Values that an endpoint lists: JSON, paged or not, JSON lines, or lines of text.",
  options: optionsSchema,
  values: (context, options) => asSetLines(httpValues(context, options)),
};
