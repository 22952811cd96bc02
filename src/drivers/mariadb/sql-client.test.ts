import { once } from "node:events";
import { type AddressInfo, type Socket, createServer } from "node:net";
import { expect, test } from "vitest";
import { askSql } from "./sql-client.ts";

test(
  "a server that takes the connection and never greets is one that does not answer",
  { timeout: 300_000 },
  async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const target = {
      host: "127.0.0.1",
      port,
      socket: null,
      user: "nobody",
      database: "shop",
      password: null,
      tls: "disable",
      tlsRootCertificate: null,
    } as const;
    const access = { target, role: "source", marker: "refloat/test", signal: new AbortController().signal } as const;
    try {
      await expect(askSql(access, "SELECT 1;")).rejects.toMatchObject({ code: "source.unreachable" });
      expect(sockets).toHaveLength(1);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  },
);
