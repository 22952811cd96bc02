import { existsSync } from "node:fs";
import { connect } from "node:net";
import { Client } from "pg";
import { expect, test } from "vitest";
import { startPostgresServer } from "./postgres-server.ts";

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(socket.destroy() !== undefined));
    socket.once("error", () => resolve(false));
  });

const ask = async (url: string, sql: string): Promise<unknown[]> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(sql);
    return rows;
  } finally {
    await client.end();
  }
};

test("starts on loopback, survives a crash with its data, and leaves nothing behind", async () => {
  const server = await startPostgresServer({ settings: { work_mem: "5MB" }, durable: true });
  try {
    expect(await ask(server.url("postgres"), "show work_mem")).toEqual([{ work_mem: "5MB" }]);
    await ask(server.url("postgres"), "create table kept as select 7 as n");
    await server.crash();
    expect(await answers(server.port)).toBe(false);
    await server.start();
    expect(await ask(server.url("postgres"), "select n from kept")).toEqual([{ n: 7 }]);
  } finally {
    await server.stop();
  }
  await server.stop();
  expect(await answers(server.port)).toBe(false);
  expect(existsSync(server.directory)).toBe(false);
});

test("asks for the password when one was set, and leaves no folder after a failed start", async () => {
  const server = await startPostgresServer({ password: "s3cret" });
  try {
    await expect(ask(server.url("postgres"), "select 1")).rejects.toThrow(/password/);
    const url = server.url("postgres").replace("postgres@", "postgres:s3cret@");
    expect(await ask(url, "select 1 as one")).toEqual([{ one: 1 }]);
  } finally {
    await server.stop();
  }
  await expect(startPostgresServer({ settings: { no_such_setting: 1 } })).rejects.toMatchObject({
    code: "program.failed",
    message: expect.stringContaining("no_such_setting"),
  });
});
