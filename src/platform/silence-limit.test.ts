/** Who is silent is ended, however slow its reader was before; who is read slowly is not. */
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, createConnection, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { limitSilence } from "./silence-limit.ts";

const limitMs = 10;

let server: Server;
let accepted: Socket;
let socket: Socket;

beforeEach(async () => {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  socket = createConnection({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
  [accepted] = (await once(server, "connection")) as [Socket];
});
afterEach(() => {
  for (const end of [socket, accepted]) end.destroy();
  server.close();
});

test("a reader may be slow, again and again, and one who then waits for nothing is told so", async () => {
  const waiting = limitSilence(socket, limitMs);
  const reader = socket[Symbol.asyncIterator]();
  for (let pause = 0; pause < 2; pause += 1) {
    expect(await waiting(() => Promise.resolve("at once"))).toBe("at once");
    await delay(5 * limitMs);
    expect(socket.destroyed).toBe(false);
  }
  await expect(waiting(() => reader.next())).rejects.toThrow("nothing came for 0.01 s");
  expect(socket.destroyed).toBe(true);
});

test("what ends by itself ends as it does", async () => {
  const waiting = limitSilence(socket, 60_000);
  const reader = socket[Symbol.asyncIterator]();
  accepted.end("x");
  expect(String((await waiting(() => reader.next())).value)).toBe("x");
  expect(await waiting(() => reader.next())).toMatchObject({ done: true });
  await expect(waiting(() => Promise.reject(new Error("its own")))).rejects.toThrow("its own");
});
