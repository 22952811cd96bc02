/**
 * A small HTTP proxy in front of a test server, which fails as servers and networks do: by an answer, by silence, in the midst of a body,
 * after the work was done, or by an answer that was true before. Passes everything else on unchanged, signatures included.
 */
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer, request } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export type HttpFault =
  /** An error in S3's form; the server behind never hears of the request. */
  | { readonly kind: "answer"; readonly status: number; readonly code: string }
  /** Headers and half of the body, then the connection is gone. */
  | { readonly kind: "reset-in-body" }
  /** Not a byte, for as long as the client waits. */
  | { readonly kind: "silence" }
  /** The server does what was asked, and the connection goes before the answer. */
  | { readonly kind: "lost-answer" }
  /** The whole answer, piece by piece. */
  | { readonly kind: "slow" }
  /** One bit of the body is another: the one at this part of its length, in [0, 1). */
  | { readonly kind: "bit-flip"; readonly at: number }
  /** What the same listing has said some time ago. */
  | { readonly kind: "stale-listing" };

export type HttpCall = {
  readonly method: string;
  readonly url: string;
  /** The same listing was answered before, so that there is an old answer. */
  readonly isListedBefore: boolean;
};

export type FaultProxy = {
  readonly url: string;
  /** The next requests of that method fail, one by one in this order; others are passed on. */
  readonly fail: (method: string, ...faults: readonly HttpFault[]) => void;
  /** Asked for each request that is not failed by `fail`; null ends it. */
  readonly strike: (draw: ((call: HttpCall) => HttpFault | undefined) | null) => void;
  /** How many of the faults have not happened yet. */
  readonly pending: () => number;
  readonly stop: () => Promise<void>;
};

/** Answers to the same listing that are remembered. */
const rememberedAnswers = 5;
const pieces = 8;
const pieceMs = 5;

const isListing = (method: string, url: string): boolean => method === "GET" && url.includes("list-type=2");

/** @param target `http://127.0.0.1:PORT` */
export const startFaultProxy = async (target: string): Promise<FaultProxy> => {
  const queue: { readonly method: string; readonly fault: HttpFault }[] = [];
  const listings = new Map<string, Answer[]>();
  let draw: ((call: HttpCall) => HttpFault | undefined) | null = null;
  const server = createServer((incoming, answer) => {
    const { method = "", url = "" } = incoming;
    const [oldest] = listings.get(url) ?? [];
    const at = queue.findIndex((waiting) => waiting.method === method);
    const fault =
      at < 0 ? draw?.({ method, url, isListedBefore: oldest !== undefined }) : queue.splice(at, 1)[0]?.fault;
    if (fault?.kind === "answer") return refuse(incoming, answer, fault);
    if (fault?.kind === "silence") return incoming.resume();
    if (fault?.kind === "stale-listing" && oldest !== undefined) {
      incoming.resume();
      return send(answer, oldest);
    }
    const told = isListing(method, url) ? (reply: Answer) => remember(listings, url, reply) : undefined;
    return passOn(target, incoming, answer, { fault, told });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fail: (method, ...faults) => queue.push(...faults.map((fault) => ({ method, fault }))),
    strike: (next) => (draw = next),
    pending: () => queue.length,
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
};

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

const remember = (listings: Map<string, Answer[]>, url: string, answer: Answer): void => {
  if (answer.status !== 200) return;
  listings.set(url, [...(listings.get(url) ?? []), answer].slice(-rememberedAnswers));
};

const send = (answer: ServerResponse, { status, headers, body }: Answer): void => {
  answer.writeHead(status, headers);
  answer.end(body);
};

const refuse = (
  incoming: IncomingMessage,
  answer: ServerResponse,
  { status, code }: Extract<HttpFault, { kind: "answer" }>,
): void => {
  // A client that still sends when the connection closes would see a reset instead of the answer.
  incoming.resume().once("end", () => {
    answer.writeHead(status, { "content-type": "application/xml" });
    answer.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>made up by a test</Message></Error>`);
  });
};

type Passing = { readonly fault: HttpFault | undefined; readonly told: ((answer: Answer) => void) | undefined };

const passOn = (target: string, incoming: IncomingMessage, answer: ServerResponse, { fault, told }: Passing): void => {
  const { hostname, port } = new URL(target);
  const { method, url, headers } = incoming;
  const outgoing = request({ hostname, port, method, path: url, headers }, (reply) => {
    if (fault?.kind === "lost-answer") {
      reply.resume();
      answer.destroy();
      return;
    }
    const status = reply.statusCode ?? 502;
    if (told !== undefined || fault?.kind === "bit-flip" || fault?.kind === "slow") {
      void gather(reply)
        .then(async (body) => {
          told?.({ status, headers: reply.headers, body });
          return fault?.kind === "slow"
            ? sendSlowly(answer, { status, headers: reply.headers, body })
            : send(answer, { status, headers: reply.headers, body: spoil(body, fault) });
        })
        .catch(() => answer.destroy());
      return;
    }
    answer.writeHead(status, reply.headers);
    if (fault?.kind !== "reset-in-body") {
      reply.pipe(answer);
      return;
    }
    const half = Math.floor(Number(reply.headers["content-length"] ?? 0) / 2);
    let sent = 0;
    reply.on("data", (piece: Buffer) => {
      const part = piece.subarray(0, half - sent);
      sent += part.length;
      if (sent < half) answer.write(part);
      else answer.write(part, () => answer.destroy());
    });
    // Of a body without bytes there is no half.
    reply.on("end", () => answer.destroy());
  });
  outgoing.on("error", () => answer.destroy());
  incoming.pipe(outgoing);
};

const gather = async (reply: IncomingMessage): Promise<Buffer> => {
  const parts: Buffer[] = [];
  for await (const part of reply) parts.push(part as Buffer);
  return Buffer.concat(parts);
};

const spoil = (body: Buffer, fault: HttpFault | undefined): Buffer => {
  if (fault?.kind !== "bit-flip" || body.length === 0) return body;
  const at = Math.floor(fault.at * body.length);
  const spoilt = Buffer.from(body);
  spoilt[at] = (spoilt[at] ?? 0) ^ (1 << (at % 8));
  return spoilt;
};

const sendSlowly = async (answer: ServerResponse, { status, headers, body }: Answer): Promise<void> => {
  answer.writeHead(status, headers);
  const size = Math.ceil(body.length / pieces);
  for (let at = 0; at < body.length; at += size) {
    answer.write(body.subarray(at, at + size));
    await delay(pieceMs);
  }
  answer.end();
};
