/**
 * Asks one member by etcd's own JSON gateway (its documentation, "gRPC gateway", /v3/): the same calls as gRPC, bytes in base64, streams as one
 * JSON object a line. Translates failures; decides nothing.
 */
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";
import type { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { readLines } from "../../platform/set-lines.ts";
import { limitSilence, readWaiting } from "../../platform/silence-limit.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { type EtcdTarget, describeAddress } from "./etcd-target.ts";

export type Gateway = {
  /** @throws RefloatError source.denied, source.failed, source.unreachable; the signal's reason when aborted */
  readonly ask: <Answer>(path: string, question: object, schema: z.ZodType<Answer>) => Promise<Answer>;
  /** The answers of a stream; throws when it is broken off. */
  readonly stream: (path: string, question: object) => AsyncIterable<unknown>;
};

const answerMs = 60_000;

/** An answer of a stream has 32 KiB of a snapshot. However many there are is fine. */
const answerLimits = { lineLength: 16 * 1024 * 1024, allowance: { take: () => undefined } };

const refusal = (target: EtcdTarget, path: string, message: string): RefloatError => {
  const isDenied = /user name is empty|permission denied|authentication failed|invalid auth token|certificate/i.test(
    message,
  );
  return new RefloatError(
    isDenied ? "source.denied" : "source.failed",
    `${describeAddress(target)} refuses ${path}: ${message}`,
    isDenied ? { hint: "a snapshot, and all that a recovery asks, need a user with the role root" } : {},
  );
};

/** What an answer that is no good says of itself. */
const messageOf = (text: string, status: number): string => {
  try {
    const { error, message } = JSON.parse(text) as { error?: string | { message?: string }; message?: string };
    return message ?? (typeof error === "string" ? error : (error?.message ?? text));
  } catch {
    return status === 404 ? "it has no gateway (enable-grpc-gateway)" : `HTTP ${status}`;
  }
};

const tlsOptions = async ({ tls }: EtcdTarget): Promise<RequestOptions> => {
  if (tls === null) return {};
  const [ca, cert, key] = await Promise.all(
    [tls.authority, tls.certificate, tls.key].map(async (path) => (path === null ? undefined : readFile(path))),
  );
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
};

type Asking = { readonly target: EtcdTarget; readonly signal: AbortSignal };

const send = async (
  { target, signal }: Asking,
  path: string,
  question: object,
  token: string | null,
): Promise<IncomingMessage> => {
  signal.throwIfAborted();
  const options: RequestOptions = {
    ...(await tlsOptions(target)),
    host: target.host,
    port: target.port,
    path: `/v3/${path}`,
    method: "POST",
    headers: { "content-type": "application/json", ...(token === null ? {} : { authorization: token }) },
    signal,
    timeout: answerMs,
    agent: false,
  };
  // Not with every command: it takes a tenth of its start.
  const { request: send } = target.tls === null ? await import("node:http") : await import("node:https");
  try {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(options, resolve);
      request.on("timeout", () => request.destroy(new Error(`no answer in ${answerMs / 1_000} s`)));
      request.on("error", reject);
      request.end(JSON.stringify(question));
    });
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof AggregateError ? error.errors[0] : error;
    throw new RefloatError(
      "source.unreachable",
      `${describeAddress(target)} does not answer (${describeSystemError(reason)})`,
      { cause: error },
    );
  }
};

const readText = async (answer: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
};

const isGood = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;

const askAs = async (asking: Asking, path: string, question: object, token: string | null): Promise<unknown> => {
  const answer = await send(asking, path, question, token);
  const text = await readText(answer).catch((error: unknown) => {
    asking.signal.throwIfAborted();
    throw new RefloatError("source.unreachable", `${describeAddress(asking.target)} broke off its answer`, {
      cause: error,
    });
  });
  if (!isGood(answer)) throw refusal(asking.target, path, messageOf(text, answer.statusCode ?? 0));
  return JSON.parse(text);
};

async function* streamAs(asking: Asking, path: string, question: object, token: string | null): AsyncIterable<unknown> {
  const answer = await send(asking, path, question, token);
  if (!isGood(answer)) throw refusal(asking.target, path, messageOf(await readText(answer), answer.statusCode ?? 0));
  const waiting = limitSilence(answer.socket, answerMs);
  try {
    for await (const { text } of readLines(readWaiting(answer, waiting), path, answerLimits)) {
      asking.signal.throwIfAborted();
      const said = JSON.parse(text) as { result?: unknown; error?: { message?: string } };
      if (said.error !== undefined) throw refusal(asking.target, path, said.error.message ?? "an error");
      yield said.result;
    }
  } catch (error) {
    asking.signal.throwIfAborted();
    if (error instanceof RefloatError) throw error;
    throw new RefloatError(
      "source.failed",
      `${describeAddress(asking.target)} broke off ${path}: ${describeSystemError(error)}`,
      { cause: error },
    );
  } finally {
    answer.destroy();
  }
  // A connection that was cut may look like the end.
  if (!answer.complete) throw new RefloatError("source.failed", `${describeAddress(asking.target)} broke off ${path}`);
}

const login = async (asking: Asking): Promise<string | null> => {
  const { user, password } = asking.target;
  if (user === null) return null;
  const question = { name: user, password: password?.reveal() ?? "" };
  const { token } = (await askAs(asking, "auth/authenticate", question, null).catch((error: unknown) => {
    // A user may be named where authentication is off.
    if (error instanceof RefloatError && /authentication is not enabled/.test(error.message)) return { token: null };
    throw error;
  })) as { token: string | null };
  return token;
};

export const withEtcd = async <Result>(asking: Asking, act: (gateway: Gateway) => Promise<Result>): Promise<Result> => {
  const token = await login(asking);
  return act({
    ask: async (path, question, schema) => schema.parse(await askAs(asking, path, question, token)),
    stream: (path, question) => streamAs(asking, path, question, token),
  });
};
