/** metrics --listen: answers each scrape with what is so then, until told to end. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import { describeSystemError } from "../platform/system-error.ts";

export type ListenAddress = { readonly host: string; readonly port: number };

/** `127.0.0.1:9464`, `[::1]:9464`; null for what is neither. */
export const parseListenAddress = (text: string): ListenAddress | null => {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  return host === undefined || Number(port) > 65_535 ? null : { host, port: Number(port) };
};

export type MetricsServing = {
  readonly address: ListenAddress;
  readonly read: () => Promise<string>;
  /** Told once, with the address as a browser takes it. */
  readonly onListening: (url: string) => void;
  readonly onFailure: (message: string) => void;
  readonly signal: AbortSignal;
};

const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** Resolves when the signal is aborted and the server is closed. @throws RefloatError metrics.unserved */
export const serveMetrics = async ({
  address,
  read,
  onListening,
  onFailure,
  signal,
}: MetricsServing): Promise<void> => {
  let reading: Promise<string> | null = null;
  /** Scrapes that come together are answered from one look. */
  const shared = (): Promise<string> =>
    (reading ??= read().finally(() => {
      reading = null;
    }));
  // Not with every command: it takes a tenth of its start.
  const { createServer } = await import("node:http");
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0];
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
      return;
    }
    if (path !== "/metrics") {
      response.writeHead(path === "/" ? 200 : 404, { "content-type": "text/plain; charset=utf-8" });
      response.end(
        path === "/" ? "the metrics of Refloat are under /metrics\n" : "there is nothing here but /metrics\n",
      );
      return;
    }
    shared().then(
      (text) => response.writeHead(200, { "content-type": contentType }).end(text),
      (error: unknown) => {
        const { message } = toRefloatError(error);
        onFailure(message);
        // Prometheus takes it for a target that is down, which it is; what was wrong is told here, not to everybody who can connect.
        response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end("the metrics cannot be read\n");
      },
    );
  });
  await listen(server, address);
  const { port, address: host, family } = server.address() as AddressInfo;
  onListening(`http://${family === "IPv6" ? `[${host}]` : host}:${port}/metrics`);
  try {
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
};

const listen = async (server: Server, { host, port }: ListenAddress): Promise<void> => {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    throw new RefloatError("metrics.unserved", `nothing can listen on ${host}:${port}: ${describeSystemError(error)}`, {
      cause: error,
      state: "nothing was changed",
      hint: "name a free port of an address of this machine: --listen 127.0.0.1:9464",
    });
  }
};
