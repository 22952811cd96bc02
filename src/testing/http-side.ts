/** A side of a service as a proxy sees it: a small HTTP server on loopback that answers its name. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export type HttpSide = {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  readonly port: number;
  readonly close: () => Promise<void>;
};

/** @param held answers nobody before it resolves */
export const startHttpSide = async (name: string, held?: Promise<void>): Promise<HttpSide> => {
  const server = createServer(async (_request, response) => {
    await held;
    response.end(name);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    port,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

export const askHttp = async (url: string): Promise<{ readonly status: number; readonly body: string }> => {
  const response = await fetch(url, { headers: { connection: "close" } });
  return { status: response.status, body: await response.text() };
};
