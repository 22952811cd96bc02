import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CheckDriver } from "../../core/ports/driver.ts";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { findByEnvironment, signalProcess } from "../../platform/process-table.ts";
import {
  type TestFolder,
  createTestCheckContext,
  createTestFolder,
  createTestTrafficContext,
} from "../../testing/driver-context.ts";
import { commandBundle } from "./command-bundle.ts";

const [check] = commandBundle.checks as [CheckDriver];
const [traffic] = commandBundle.traffic as [TrafficDriver];

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder();
});
afterEach(() => folder.remove());

describe("a command check", () => {
  test.each([
    ["true", "passed", "exit status 0"],
    ["echo first; echo last; echo", "passed", "last"],
    ["echo no such table >&2; exit 3", "failed", "no such table (exit status 3)"],
    ["exit 4", "failed", "exit status 4"],
    ["kill -9 $$", "failed", "ended by SIGKILL"],
    ["yes | head -c 1000000 | tail -c 2", "passed", "y"],
  ])("%s has %s: %s", async (command, status, found) => {
    expect(await check.run(createTestCheckContext(), { command })).toMatchObject({ kind: "command", status, found });
  });

  test("that takes too long is ended with all that it started", async () => {
    const marker = `refloat/test/${folder.path}`;
    const context = createTestCheckContext({ timeoutMs: 200, marker });
    const outcome = await check.run(context, { command: "sleep 600 & sleep 600 | cat; true" });
    expect(outcome).toMatchObject({ status: "failed", found: "took too long" });
    expect(findByEnvironment({ REFLOAT_STEP: marker })).toEqual([]);
  });

  test("that ignores SIGTERM is killed when it is aborted", async () => {
    const marker = `refloat/test/${folder.path}`;
    const controller = new AbortController();
    const context = createTestCheckContext({ marker, signal: controller.signal });
    const ready = join(folder.path, "ready");
    const running = check
      .run(context, { command: `trap '' TERM; echo > '${ready}'; while :; do sleep 0.1; done` })
      .then(
        () => null,
        (error: unknown) => error,
      );
    while ((await readFile(ready).catch(() => null)) === null)
      await context.clock.sleep(10, new AbortController().signal);
    controller.abort(new Error("enough"));
    expect(await running).toMatchObject({ message: "enough" });
    expect(findByEnvironment({ REFLOAT_STEP: marker })).toEqual([]);
  });

  test("that leaves a child in the background is not waited for", async () => {
    const marker = `refloat/test/${folder.path}`;
    const outcome = await check.run(createTestCheckContext({ marker }), { command: "sleep 600 & echo started" });
    expect(outcome).toMatchObject({ status: "passed", found: "started" });
    for (const one of findByEnvironment({ REFLOAT_STEP: marker })) signalProcess(one, "SIGKILL");
  });

  test("has the outputs in its environment, secrets only there", async () => {
    const outputs = { url: { value: "postgres://hunter2@db", secret: true }, path: { value: "/srv", secret: false } };
    const context = createTestCheckContext({ outputs, values: { "db.url": "secret!postgres://hunter2@db" } });
    expect(await check.run(context, { command: 'echo "$REFLOAT_URL $REFLOAT_PATH"' })).toMatchObject({
      found: "[secret] /srv",
    });
    await expect(check.run(context, { command: "psql ${db.url}" })).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.not.stringContaining("hunter2") as string,
    });
  });

  test("does not see what belongs to Refloat alone", async () => {
    process.env["REFLOAT_TEST_PASSWORD"] = "hunter2";
    try {
      const outcome = await check.run(createTestCheckContext(), { command: "env | grep -c hunter2" });
      expect(outcome.found).toBe("0 (exit status 1)");
    } finally {
      delete process.env["REFLOAT_TEST_PASSWORD"];
    }
  });
});

describe("traffic by commands", () => {
  const context = createTestTrafficContext({ "state.file": "unused" });
  const optionsOf = (more: object = {}) => ({
    command: `if [ "$REFLOAT_ACTION" = admit ]; then echo "$REFLOAT_TO"; fi > '${join(folder.path, "address")}'`,
    observe: `cat '${join(folder.path, "address")}'`,
    to: "${app.address}",
    ...more,
  });
  beforeEach(() => writeFile(join(folder.path, "address"), "10.0.0.1:80\n"));

  test("is observed, held and admitted", async () => {
    const options = optionsOf();
    expect(await traffic.observe(context, options)).toMatchObject({ admitted: true, address: "10.0.0.1:80" });
    await traffic.hold(context, options);
    expect(await traffic.observe(context, options)).toMatchObject({ admitted: false, address: null });
    await traffic.admit(context, options, "10.0.0.2:80");
    expect(await traffic.observe(context, options)).toMatchObject({ admitted: true, address: "10.0.0.2:80" });
    const { findings, commands, recoveryCommands } = await traffic.preflight(context, options);
    expect({ commands, recoveryCommands }).toEqual({
      commands: [],
      recoveryCommands: [options.observe, options.command],
    });
    expect(findings).toMatchObject([{ ok: true, found: "traffic goes to 10.0.0.2:80" }]);
  });

  test("has its own line for holding", async () => {
    const options = optionsOf({ hold: `: > '${join(folder.path, "address")}'`, command: "exit 9" });
    await traffic.hold(context, options);
    expect(await traffic.observe(context, options)).toMatchObject({ admitted: false });
    await expect(traffic.admit(context, options, "10.0.0.2:80")).rejects.toMatchObject({ code: "program.failed" });
  });

  test("that is not what was asked for is an error", async () => {
    const options = optionsOf({ command: "true" });
    await expect(traffic.hold(context, options)).rejects.toMatchObject({ code: "fence.failed" });
    await expect(traffic.admit(context, options, "10.0.0.2:80")).rejects.toMatchObject({ code: "target.failed" });
  });

  test("that can tell neither where traffic goes nor where it shall go is refused in the file", () => {
    const read = (options: object) => traffic.options.safeParse({ command: "./switch", ...options });
    expect(read({}).error?.issues[0]?.message).toContain("needs to:");
    expect([read({ to: "127.0.0.1:80" }).success, read({ observe: "./where" }).success]).toEqual([true, true]);
  });

  test("without observe is unknown, and said to be", async () => {
    const { observe: _observe, ...options } = optionsOf();
    expect(await traffic.observe(context, options)).toEqual({ admitted: null, address: null, raw: {} });
    await traffic.admit(context, options, "10.0.0.2:80");
    await traffic.hold(context, options);
    const { findings } = await traffic.preflight(context, options);
    expect(findings[0]?.found).toContain("nobody can tell");
  });
});
