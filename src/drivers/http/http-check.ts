/**
 * The http check: asks one URL once, as a user's browser would without following redirects, and compares status and body. Retrying
 * is the caller's business.
 */
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import type { CheckContext, CheckDriver } from "../../core/ports/driver.ts";
import { expectSchema } from "../../model/declaration.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { describeSystemError } from "../../platform/system-error.ts";

const optionsSchema = z
  .strictObject({
    http: z.string().min(1).meta({ description: "The URL to ask, such as ${self.url}/health." }),
    expect: expectSchema.optional(),
  })
  .meta({
    description: "Asks a URL. Redirects are not followed: an answer of 301 is right only where status says so.",
  });
type HttpOptions = z.infer<typeof optionsSchema>;

/** As much of a body as is searched. */
const bodyLimitBytes = 4 * 1024 * 1024;

type Answer = { readonly status: number; readonly body: string; readonly isWhole: boolean };

const readBody = async (response: IncomingMessage): Promise<Omit<Answer, "status">> => {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes >= bodyLimitBytes) return { body: Buffer.concat(chunks).toString(), isWhole: false };
  }
  return { body: Buffer.concat(chunks).toString(), isWhole: true };
};

const askOnce = async (url: URL, signal: AbortSignal): Promise<Answer> => {
  // Only when somebody asks: loading them takes a tenth of the start of a command.
  const { request: send } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  // A connection of its own: a kept one would ask the process that has just been replaced.
  const request = send(
    url,
    { agent: false, signal, headers: { "user-agent": "refloat", connection: "close" } },
    resolve,
  );
  request.on("error", reject);
  request.end();
  try {
    const response = await promise;
    return { status: response.statusCode ?? 0, ...(await readBody(response)) };
  } finally {
    request.destroy();
  }
};

/** Null when the answer is right, else what is wrong with it. */
const judge = (answer: Answer, expect: HttpOptions["expect"]): string | null => {
  const isRightStatus =
    expect?.status === undefined ? answer.status >= 200 && answer.status <= 299 : answer.status === expect.status;
  if (!isRightStatus) return `HTTP ${answer.status}`;
  if (expect?.body === undefined || answer.body.includes(expect.body)) return null;
  const where = answer.isWhole ? "the answer" : `the first ${bodyLimitBytes / 1024 / 1024} MiB of the answer`;
  return `HTTP ${answer.status}, but "${expect.body}" is not in ${where}`;
};

const readUrl = (text: string, declared: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && ["http:", "https:"].includes(url.protocol)) return url;
  throw new RefloatError("config.invalid", `the check "http: ${declared}" is no http or https URL`);
};

/** A password that somebody wrote into the file after all is not printed. */
export const withoutPassword = (text: string): string => text.replace(/\/\/[^/@\s]*@/, "//");

const runHttpCheck = async (context: CheckContext, options: HttpOptions): Promise<CheckOutcome> => {
  const bound = await context.bind(options.http);
  const url = readUrl(bound.value, options.http);
  const began = context.clock.monotonicMs();
  const subject = `http: ${bound.secret ? options.http : withoutPassword(bound.value)}`;
  const outcome = (status: "passed" | "failed", found: string): CheckOutcome => ({
    subject,
    kind: "http",
    status,
    found,
    durationMs: context.clock.monotonicMs() - began,
  });
  const limit = AbortSignal.timeout(context.timeoutMs);
  try {
    const answer = await askOnce(url, AbortSignal.any([context.signal, limit]));
    const wrong = judge(answer, options.expect);
    return wrong === null ? outcome("passed", `HTTP ${answer.status}`) : outcome("failed", wrong);
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted) return outcome("failed", `no answer in ${context.timeoutMs / 1_000} s`);
    return outcome("failed", describeSystemError(error));
  }
};

export const httpCheck: CheckDriver<HttpOptions> = {
  kind: "http",
  summary: "A URL answers with the right status, and with the right text in it.",
  options: optionsSchema,
  run: runHttpCheck,
};
