/**
 * A small HTTP proxy in front of a test server, which fails as servers and networks do: by an answer, by silence, in the midst of a body, or
 * after the work was done. Passes everything else on unchanged, signatures included.
 */
import { type IncomingMessage, type ServerResponse, createServer, request } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

export type HttpFault =
  /** An error in S3's form; the server behind never hears of the request. */
  | { readonly kind: "answer"; readonly status: number; readonly code: string }
  /** Headers and half of the body, then the connection is gone. */
  | { readonly kind: "reset-in-body" }
  /** Not a byte, for as long as the client waits. */
  | { readonly kind: "silence" }
  /** The server does what was asked, and the connection goes before the answer. */
  | { readonly kind: "lost-answer" };

export type FaultProxy = {
  readonly url: string;
  /** The next requests of that method fail, one by one in this order; others are passed on. */
  readonly fail: (method: string, ...faults: readonly HttpFault[]) => void;
  /** How many of the faults have not happened yet. */
  readonly pending: () => number;
  readonly stop: () => Promise<void>;
};

/** @param target `http://127.0.0.1:PORT` */
export const startFaultProxy = async (target: string): Promise<FaultProxy> => {
  const queue: { readonly method: string; readonly fault: HttpFault }[] = [];
  const server = createServer((incoming, answer) => {
    const at = queue.findIndex(({ method }) => method === incoming.method);
    const fault = at < 0 ? undefined : queue.splice(at, 1)[0]?.fault;
    if (fault?.kind === "answer") return refuse(incoming, answer, fault);
    if (fault?.kind === "silence") return incoming.resume();
    return passOn(target, incoming, answer, fault);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fail: (method, ...faults) => queue.push(...faults.map((fault) => ({ method, fault }))),
    pending: () => queue.length,
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
};

type Answer = Extract<HttpFault, { kind: "answer" }>;

const refuse = (incoming: IncomingMessage, answer: ServerResponse, { status, code }: Answer): void => {
  // A client that still sends when the connection closes would see a reset instead of the answer.
  incoming.resume().once("end", () => {
    answer.writeHead(status, { "content-type": "application/xml" });
    answer.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>made up by a test</Message></Error>`);
  });
};

const passOn = (
  target: string,
  incoming: IncomingMessage,
  answer: ServerResponse,
  fault: HttpFault | undefined,
): void => {
  const { hostname, port } = new URL(target);
  const { method, url, headers } = incoming;
  const outgoing = request({ hostname, port, method, path: url, headers }, (reply) => {
    if (fault?.kind === "lost-answer") {
      reply.resume();
      answer.destroy();
      return;
    }
    answer.writeHead(reply.statusCode ?? 502, reply.headers);
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
  });
  outgoing.on("error", () => answer.destroy());
  incoming.pipe(outgoing);
};
