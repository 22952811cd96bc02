import { createServer } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { expect, test } from "vitest";
import { parseTcpTable, parseUnixTable, readSocketHolders, readTcpSockets, readUnixListeners } from "./socket-table.ts";

test("reads the kernel's table of TCP sockets", () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 22221 1 0 100 0 0 10 0
   1: 0100007F:9C40 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 33331 1 0 20 4 30 10 -1
   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 44441 1 0
   3: 0000000000000000FFFF00000100007F:0050 B80D01200000000067452301EFCDAB89:01BB 01 00000000:00000000 00:00000000 00000000 0 0 55551 1 0
`;
  expect(parseTcpTable(table)).toEqual([
    { localHost: "127.0.0.1", localPort: 5432, remoteHost: "0.0.0.0", remotePort: 0, listening: true, inode: "22221" },
    {
      localHost: "127.0.0.1",
      localPort: 40000,
      remoteHost: "127.0.0.1",
      remotePort: 5432,
      listening: false,
      inode: "33331",
    },
    { localHost: "::1", localPort: 80, remoteHost: "::", remotePort: 0, listening: true, inode: "44441" },
    {
      localHost: "127.0.0.1",
      localPort: 80,
      remoteHost: "2001:db8:0:0:123:4567:89ab:cdef",
      remotePort: 443,
      listening: false,
      inode: "55551",
    },
  ]);
});

test("reads the kernel's table of Unix sockets: those that accept connections and have a path", () => {
  const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 22222 /var/run/postgresql/.s.PGSQL.5432
0000000000000000: 00000003 00000000 00000000 0001 03 22223 /var/run/postgresql/.s.PGSQL.5432
0000000000000000: 00000002 00000000 00010000 0001 01 22224 @abstract
0000000000000000: 00000002 00000000 00010000 0001 01 22225 /tmp/a b/sock
0000000000000000: 00000003 00000000 00000000 0001 03 22226
`;
  expect(parseUnixTable(table)).toEqual([
    { path: "/var/run/postgresql/.s.PGSQL.5432", inode: "22222" },
    { path: "/tmp/a b/sock", inode: "22225" },
  ]);
});

test("finds this process by what it listens on", async () => {
  const folder = await mkdtemp(join(tmpdir(), "refloat-sockets-"));
  const tcp = createServer().listen(0, "127.0.0.1");
  const unix = createServer().listen(join(folder, "sock"));
  try {
    for (const server of [tcp, unix]) if (!server.listening) await once(server, "listening");
    const address = tcp.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const held = (await readSocketHolders()).get(process.pid);
    const listening = (await readTcpSockets()).filter((socket) => socket.listening && socket.localPort === port);
    expect(listening).toMatchObject([{ localHost: "127.0.0.1", remoteHost: "0.0.0.0" }]);
    expect(held?.has(listening[0]?.inode ?? "")).toBe(true);
    const listener = (await readUnixListeners()).find(({ path }) => path === join(folder, "sock"));
    expect(held?.has(listener?.inode ?? "")).toBe(true);
  } finally {
    tcp.close();
    unix.close();
    await rm(folder, { recursive: true });
  }
});
