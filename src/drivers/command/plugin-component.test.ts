/** Plugins that die, hang, lie and leak: no point is made of what is not whole, and each error names the plugin and its last words. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DriverContext } from "../../core/ports/driver.ts";
import { findByEnvironment, readPlaces, signalProcess } from "../../platform/process-table.ts";
import {
  captureCommandInto,
  commandContext,
  commandDriver,
  fillFolder,
  folderPlugin,
} from "../../testing/command-bench.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";

vi.setConfig({ testTimeout: 300_000 });

const { instances, switching } = commandDriver;
const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const values = { "db.token": "secret!hunter2" };

let folder: TestFolder;
let path: string;
let vault: string;
beforeEach(async () => {
  folder = await createTestFolder("refloat-plugin");
  path = join(folder.path, "srv", "data");
  vault = join(folder.path, "vault");
  await fillFolder(path);
});
afterEach(() => folder.remove());

const contextOf = (fault = "", options: object = {}, more: object = {}): DriverContext => ({
  ...commandContext(
    folder.path,
    {
      name: path,
      plugin: folderPlugin,
      options: { token: "${db.token}", ...options },
      environment: { FAULT: fault },
      silence: "1m",
      ...more,
    },
    { values },
  ),
  marker: `refloat/test/${folder.path}`,
});
const targetOf = async (context: DriverContext) => ({ name: await instances.name(context, 42), run: 42, runUid });

describe("a capture", () => {
  test.each([
    ["killed", "capture of search by folder 1.2.3 failed: ended by SIGKILL"],
    ["end within a stream", "its data is torn: the stream index has no end"],
    ["no seal", "its data is torn: it has no seal"],
    ["wrong seal", "its data is torn: 2 streams came, and the seal says 7"],
    ["wrong count", "its data is torn: the stream index had 400000 bytes and says that it had 1"],
    ["wrong hash", "its data is torn: the stream index has another SHA-256 than it says"],
    ["other end", "its data is torn: the stream index is not ended before something else begins"],
    ["stream twice", "its stream index comes twice"],
    ["data after the seal", "its data goes on after the seal"],
    ["bytes for a header", 'its data has a header that is none: "rubbish"'],
    ["endless header", "its data is torn: a header is longer than 4096 bytes"],
    ["hostile name", "its data has a header that is none"],
    ["fails after its result", "exit status 9"],
    ["no result", "it ended without a result"],
    ["chats", 'it writes what is no JSON: "50 % done"'],
    ["odd message", "it writes what is no message"],
    ["long line", "it writes a line of more than 1048576 bytes"],
    ["goes on", "it goes on after its result"],
    ["hangs", "nothing was heard of it for 2s"],
    ["hangs and ignores SIGTERM", "nothing was heard of it for 2s"],
    ["leaves a child", "nothing was heard of it for 2s"],
    ["silent from the first", "nothing was heard of it for 2s"],
    ["no hello", "its first line is no hello"],
    ["no JSON", 'it writes what is no JSON: "Welcome to the tool!"'],
    ["other version", "speaks version 2 of the plugin protocol, and this Refloat version 1"],
    ["tells an error", "search: the token [secret] is refused (folder 1.2.3)"],
    ["leaks and fails", "cannot log in with [secret]"],
    ["chats a secret", `it writes what is no JSON: "${"x".repeat(93)}[secret"`],
    ["odd message with a secret", 'it writes what is no message: {"odd":{"token":"[secret]"}}'],
  ])("%s makes no point: %s", async (fault, message) => {
    // Only what is silent is given up for that: on a busy machine any program is for a while.
    const context = contextOf(fault, {}, message.startsWith("nothing was heard") ? { silence: "2s" } : {});
    const error: unknown = await captureCommandInto(context, vault).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "RefloatError", message: expect.stringContaining(message) as string });
    expect(JSON.stringify(error)).not.toContain("hunter2");
    await expect.poll(() => findByEnvironment({ REFLOAT_STEP: context.marker }), { timeout: 60_000 }).toEqual([]);
  });

  test("that is aborted ends the plugin and throws the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("the operator has changed his mind");
    const context = { ...contextOf("hangs and ignores SIGTERM", {}, { silence: "1h" }), signal: controller.signal };
    const ended = captureCommandInto(context, vault).catch((thrown: unknown) => thrown);
    await expect.poll(() => findByEnvironment({ REFLOAT_STEP: context.marker }).length).toBeGreaterThan(0);
    controller.abort(reason);
    expect(await ended).toBe(reason);
    await expect.poll(() => findByEnvironment({ REFLOAT_STEP: context.marker }), { timeout: 60_000 }).toEqual([]);
  });

  test("tells its warnings, its version and its facts, and nothing secret to the log", async () => {
    const logged: string[] = [];
    const log = (message: string, fields?: object) => void logged.push(JSON.stringify([message, fields]));
    const context = { ...contextOf("warns"), log: { debug: log, info: log, warn: log } };
    const captured = await captureCommandInto(context, vault);
    expect(captured).toMatchObject({
      warnings: ["an index with [secret] was skipped"],
      facts: { counts: { files: 2, streams: 2 }, versions: { folder: "1.2.3" }, position: { mark: { at: "7" } } },
    });
    expect(Object.keys(captured.facts.units)).toEqual(["index", "revision"]);
    expect(logged.join("\n")).toContain("with [secret]");
    expect(logged.join("\n")).not.toContain("hunter2");
  });

  test("hides its options from the process list", async () => {
    const context = contextOf("hangs", {}, { silence: "20s" });
    const ended = captureCommandInto(context, vault).catch((thrown: unknown) => thrown);
    const rows = () => findByEnvironment({ REFLOAT_STEP: context.marker });
    await expect.poll(() => rows().length).toBeGreaterThan(0);
    for (const row of rows()) {
      expect(readPlaces(row.pid).words.join(" ")).not.toContain("hunter2");
      signalProcess(row, "SIGKILL");
    }
    await ended;
  });
});

describe("a restore", () => {
  test.each([
    ["unread", "without reading all of the data"],
    ["killed while it restores", "ended by SIGKILL"],
    ["fails after its result", "exit status 9"],
    ["no result", "it ended without a result"],
  ])("%s leaves what is told as partial until it is dropped", async (fault, message) => {
    const captured = await captureCommandInto(contextOf(), vault);
    const context = contextOf(fault);
    const target = await targetOf(context);
    await mkdir(join(folder.path, "srv"), { recursive: true });
    const made = instances.restore(context, target, createDirectoryReader(vault), captured);
    await expect(made).rejects.toMatchObject({
      code: "program.failed",
      message: expect.stringContaining(message) as string,
    });
    const calm = contextOf();
    expect(await instances.inspect(calm, target)).toBe(existsSync(target.name) ? "partial" : "absent");
    await instances.drop(calm, target);
    expect(await instances.inspect(calm, target)).toBe("absent");
  });

  test("is not believed an answer that is none", async () => {
    const context = contextOf("odd presence");
    await expect(instances.inspect(context, await targetOf(context))).rejects.toMatchObject({
      message: expect.stringContaining('its result is none: {"presence":"perhaps"}') as string,
    });
    const leaking = contextOf("leaking presence");
    await expect(instances.inspect(leaking, await targetOf(leaking))).rejects.toMatchObject({
      message: expect.stringContaining('its result is none: {"presence":"[secret]"}') as string,
    });
  });
});

test("options are held against the plugin's own schema", async () => {
  await expect(commandDriver.preflight(contextOf("", { jobs: 0, more: true }))).resolves.toMatchObject({
    findings: expect.arrayContaining([
      expect.objectContaining({
        ok: false,
        found: expect.stringMatching(
          /the options of search are not what folder asks for: .*options\.jobs: .*more/,
        ) as string,
      }),
    ]) as unknown[],
  });
});

test("outputs that hold a secret are secrets, and a preflight shows none", async () => {
  const context = contextOf();
  expect(await commandDriver.stableOutputs(context)).toEqual({
    name: { value: path, secret: false },
    plain: { value: path, secret: false },
    url: { value: `folder://hunter2@${path}`, secret: true },
  });
  const { findings } = await commandDriver.preflight(context);
  expect(findings.every(({ ok }) => ok)).toBe(true);
  expect(JSON.stringify(findings)).not.toContain("hunter2");
});

test("a plugin that is not there, or may not be run, is told by its path", async () => {
  const missing = {
    code: "program.missing",
    message: expect.stringContaining("/no/such/plugin cannot be started") as string,
  };
  await expect(captureCommandInto(contextOf("", {}, { plugin: "/no/such/plugin" }), vault)).rejects.toMatchObject(
    missing,
  );
  await writeFile(join(folder.path, "plain"), "");
  const plain = contextOf("", {}, { plugin: join(folder.path, "plain") });
  await expect(captureCommandInto(plain, vault)).rejects.toMatchObject({ code: "program.missing" });
});

test("a switch by path stops and reloads by the plugin", async () => {
  const log = join(folder.path, "log");
  const captured = await captureCommandInto(contextOf(), vault);
  const context = contextOf("", { log });
  const target = await targetOf(context);
  await instances.restore(context, target, createDirectoryReader(vault), captured);
  const exchange = { incoming: target.name, outgoing: await instances.retiredName(context, 42) };
  await switching.exchange(context, exchange, await switching.observe(context, exchange));
  const asked = readFileSync(log, "utf8").split("\n");
  expect(asked.filter((kind) => kind === "stop" || kind === "reload")).toEqual(["stop", "reload"]);
  expect(readdirSync(join(folder.path, "srv")).toSorted()).toEqual(["data", "data.old42"]);
});

test("lines and a plugin are one or the other, and whole", () => {
  const read = (options: object) => commandDriver.options.safeParse(options).error?.issues[0]?.message;
  expect(read({ plugin: folderPlugin, capture: "dump" })).toContain("a plugin stands for all lines: take capture out");
  expect(read({ capture: "dump", restore: "load" })).toContain("needs inspect, drop; or plugin:");
  expect(read({ options: {} })).toContain("belongs to a plugin");
  expect(read({ plugin: folderPlugin })).toBeUndefined();
});
