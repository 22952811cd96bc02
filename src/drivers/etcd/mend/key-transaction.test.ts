/** Transactions of a real server: how many keys one takes, and that it does nothing at all once one of its keys was written. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { writeEtcd } from "../../../testing/etcd-bench.ts";
import { type EtcdServer, startEtcdServer } from "../../../testing/etcd-server.ts";
import { parseEtcdUrl } from "../etcd-target.ts";
import { type Gateway, withEtcd } from "../gateway.ts";
import { type KeyChange, keyTransaction } from "./key-transaction.ts";
import { type LiveKey, inBatches, readLiveKeys, scanLiveKeys } from "./live-keys.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let server: EtcdServer;
const { signal } = new AbortController();

const ask = <Result>(act: (gateway: Gateway) => Promise<Result>): Promise<Result> =>
  withEtcd({ target: parseEtcdUrl(server.url), signal }, act);

const nameOf = (index: number): Buffer => Buffer.from(`/k/${String(index).padStart(5, "0")}`);
const filled = (count: number, text = "live") =>
  Array.from({ length: count }, (_, index) => ({ key: nameOf(index), value: Buffer.from(`${text} ${index}`) }));

/** As it is now, to become `value`. */
const changesTo = (all: readonly { readonly key: Buffer; readonly value: Uint8Array | null }[]) =>
  ask(async (gateway) => {
    const changes: KeyChange[] = [];
    for await (const batch of inBatches(all)) {
      const found = await readLiveKeys(
        gateway,
        batch.map(({ key }) => key),
      );
      changes.push(
        ...batch.map(({ key, value }, index) => ({ key, value, modRevision: found[index]?.modRevision ?? null })),
      );
    }
    return changes;
  });

const send = (changes: readonly KeyChange[], before: () => Promise<unknown> = () => Promise.resolve()) =>
  ask(async (gateway) => {
    const { request, isUsual } = await keyTransaction(gateway, changes);
    await before();
    const answer = z.object({ succeeded: z.boolean().default(false) });
    return { isUsual, succeeded: (await gateway.ask("kv/txn", request, answer)).succeeded };
  });

const live = () =>
  ask(async (gateway) => {
    const found: LiveKey[] = [];
    for await (const one of scanLiveKeys(gateway, Buffer.from("/"))) found.push(one);
    return found;
  });
const count = async (): Promise<number> => (await live()).length;

beforeAll(async () => {
  server = await startEtcdServer();
});
beforeEach(async () => {
  await server.ctl("del", "", "--from-key");
});
afterAll(() => server.stop());

test.each([1, 128, 129, 2_000, 4_000])("%i keys come back at once, and go at once", async (keys) => {
  const changes = filled(keys).map(({ key, value }) => ({ key, value, modRevision: null }));
  expect(await send(changes)).toEqual({ isUsual: true, succeeded: true });
  const found = await live();
  expect(found).toHaveLength(keys);
  expect(new Set(found.map(({ modRevision }) => modRevision)).size).toBe(1);
  const back = found.map(({ key, modRevision }) => ({ key, value: null, modRevision }));
  expect(await send(back)).toEqual({ isUsual: true, succeeded: true });
  expect(await count()).toBe(0);
});

test("keys between which others live are put back and taken back around these", async () => {
  const others = [3, 700, 701, 1_500];
  await writeEtcd(
    server,
    others.map((index) => ({ key: nameOf(index), value: Buffer.from("another") })),
  );
  const missing = filled(2_000).filter((_, index) => !others.includes(index));
  expect(await send(missing.map(({ key, value }) => ({ key, value, modRevision: null })))).toEqual({
    isUsual: true,
    succeeded: true,
  });
  expect(await count()).toBe(2_000);
  expect(await send(await changesTo(missing.map(({ key }) => ({ key, value: null }))))).toMatchObject({
    succeeded: true,
  });
  expect((await live()).map(({ value }) => value.toString())).toEqual(others.map(() => "another"));
});

test.each<[string, () => Promise<unknown>]>([
  ["written", () => server.ctl("put", nameOf(50).toString(), "by somebody")],
  ["written with the value that it had", () => server.ctl("put", nameOf(50).toString(), "live 50")],
  ["removed", () => server.ctl("del", nameOf(50).toString())],
])("nothing is done when a key that differs was %s", async (_, meanwhile) => {
  await writeEtcd(server, filled(100));
  const changes = await changesTo(filled(100, "point"));
  expect(await send(changes, meanwhile)).toMatchObject({ succeeded: false });
  expect((await live()).some(({ value }) => value.toString().startsWith("point"))).toBe(false);
});

test.each([
  ["one that comes back", nameOf(500)],
  ["one beside those that come back", Buffer.from("/k/00500x")],
])("nothing is done when %s was made", async (_, key) => {
  const changes = filled(1_000).map((one) => ({ ...one, modRevision: null }));
  expect(await send(changes, () => server.ctl("put", key.toString(), "new"))).toMatchObject({ succeeded: false });
  expect(await count()).toBe(1);
});

test("nothing is taken back when one of many was written", async () => {
  await send(filled(1_000).map((one) => ({ ...one, modRevision: null })));
  const changes = await changesTo(filled(1_000).map(({ key }) => ({ key, value: null })));
  const meanwhile = () => server.ctl("put", nameOf(999).toString(), "by somebody");
  expect(await send(changes, meanwhile)).toMatchObject({ succeeded: false });
  expect(await count()).toBe(1_000);
});

test("more keys that differ than a server compares are refused by it, as it was told before", async () => {
  await writeEtcd(server, filled(129));
  const changes = await changesTo(filled(129, "point"));
  await expect(send(changes)).rejects.toMatchObject({
    message: expect.stringContaining("too many operations") as string,
  });
  expect(await ask((gateway) => keyTransaction(gateway, changes))).toMatchObject({ isUsual: false });
  expect(await send(changes.slice(0, 128))).toEqual({ isUsual: true, succeeded: true });
});

test("a lease that a key has stays with it, also when its value goes back", async () => {
  const lease = /lease (\w+) granted/.exec(await server.ctl("lease", "grant", "3600"))?.[1] ?? "";
  await server.ctl("put", "/k/leased", "live", `--lease=${lease}`);
  const key = Buffer.from("/k/leased");
  expect(await send(await changesTo([{ key, value: Buffer.from("point") }]))).toMatchObject({ succeeded: true });
  expect(await server.ctl("lease", "timetolive", lease, "--keys")).toContain("/k/leased");
  expect(await server.ctl("get", "/k/leased", "--print-value-only")).toBe("point");
});

test("names are read in pages of any size, each once", async () => {
  const large = Array.from({ length: 40 }, (_, index) => ({
    key: nameOf(index),
    value: Buffer.alloc(index % 8 === 0 ? 900_000 : 10, index),
  }));
  for (const one of large) await writeEtcd(server, [one]);
  const found = await live();
  expect(found.map(({ key }) => key.toString())).toEqual(large.map(({ key }) => key.toString()));
  expect(found.every(({ value }, index) => value.equals(large[index]?.value ?? Buffer.alloc(0)))).toBe(true);
});

test("large values behind small ones do not come in one answer", async () => {
  const valueBytes = 400_000;
  const all = filled(120).map((one, index) => (index < 20 ? one : { ...one, value: Buffer.alloc(valueBytes, index) }));
  for (let at = 0; at < all.length; at += 3) await writeEtcd(server, all.slice(at, at + 3));
  const answers: number[] = [];
  const found = await ask(async (gateway) => {
    const counting: Gateway = {
      ...gateway,
      ask: async (path, question, schema) => {
        const answer = await gateway.ask(path, question, schema);
        answers.push((answer as { kvs: readonly LiveKey[] }).kvs.reduce((sum, { value }) => sum + value.length, 0));
        return answer;
      },
    };
    let keys = 0;
    for await (const { key } of scanLiveKeys(counting, Buffer.from("/"))) keys += key.length > 0 ? 1 : 0;
    return keys;
  });
  expect(found).toBe(120);
  // A server takes values of four times that size.
  expect(Math.max(...answers)).toBeLessThanOrEqual(64 * valueBytes);
});
