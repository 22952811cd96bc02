import { once } from "node:events";
import { type AddressInfo, type Socket, createServer } from "node:net";
import { expect, test } from "vitest";
import { startMariadbServer } from "../../testing/mariadb-server.ts";
import { askSql } from "./sql-client.ts";
import { openSqlSession } from "./sql-session.ts";

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

test("a server that has no room for one more is up", { timeout: 120_000 }, async () => {
  const server = await startMariadbServer({ settings: { "max-connections": 10 } });
  const target = {
    host: "127.0.0.1",
    port: server.port,
    socket: null,
    user: "little",
    database: "shop",
    password: null,
    tls: "disable",
    tlsRootCertificate: null,
  } as const;
  const access = { target, role: "source", marker: "refloat/test", signal: new AbortController().signal } as const;
  const sessions: Awaited<ReturnType<typeof openSqlSession>>[] = [];
  try {
    await server.sql("CREATE DATABASE shop; CREATE USER little@'%'; GRANT ALL ON shop.* TO little@'%';");
    const fill = async (): Promise<void> => {
      for (;;) sessions.push(await openSqlSession(access, "shop"));
    };
    await expect(fill()).rejects.toMatchObject({ code: "source.under-pressure" });
    expect(sessions.length).toBeGreaterThan(5);
    await expect(askSql(access, "SELECT 1;")).rejects.toMatchObject({
      code: "source.under-pressure",
      message: expect.stringContaining("Too many connections"),
      hint: expect.stringContaining("max_connections"),
    });
  } finally {
    for (const session of sessions) await session.close();
    await server.stop();
  }
});
