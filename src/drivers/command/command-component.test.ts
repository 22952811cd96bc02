/** Lines that fail, lie, hang and leak: no point is made of what is not whole, and no instance is told as whole that is not. */
import { readFileSync, readdirSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parseDeclaration } from "../../core/declaration/parse-declaration.ts";
import type { DriverContext, InstanceTarget } from "../../core/ports/driver.ts";
import { createDriverRegistry } from "../../driver-registry.ts";
import { findByEnvironment } from "../../platform/process-table.ts";
import { killedHint } from "../../platform/subprocess.ts";
import {
  captureCommandInto,
  commandContext,
  commandDriver,
  fillFolder,
  tarByPath,
} from "../../testing/command-bench.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { filesBundle } from "../files/files-bundle.ts";
import { commandBundle } from "./command-bundle.ts";

vi.setConfig({ testTimeout: 300_000 });

const { instances, switching, writes } = commandDriver;
const runUid = "0b8f2f3e-1111-4222-8333-444455556666";

let folder: TestFolder;
let path: string;
let vault: string;
beforeEach(async () => {
  folder = await createTestFolder("refloat-command");
  path = join(folder.path, "srv", "data");
  vault = join(folder.path, "vault");
  await fillFolder(path);
});
afterEach(() => folder.remove());

const contextOf = (more: Readonly<Record<string, unknown>> = {}, values: Readonly<Record<string, string>> = {}) => ({
  ...commandContext(folder.path, { ...tarByPath(path), ...more }, { values }),
  marker: `refloat/test/${folder.path}`,
});
const targetOf = async (context: DriverContext): Promise<InstanceTarget> => ({
  name: await instances.name(context, 42),
  run: 42,
  runUid,
});
const restoreInto = async (context: DriverContext, target: InstanceTarget) =>
  instances.restore(context, target, createDirectoryReader(vault), await captureCommandInto(contextOf(), vault));
const vaultFiles = (): readonly string[] => {
  try {
    return readdirSync(join(vault, "search"));
  } catch {
    return [];
  }
};

describe("a capture line", () => {
  test.each([
    ["head -c 300000 /dev/zero; kill -9 $$", "the capture of search failed: ended by SIGKILL"],
    [
      "head -c 300000 /dev/zero; echo disk is gone >&2; exit 3",
      "the capture of search failed: exit status 3: disk is gone",
    ],
    ["true", "the capture of search ended well and wrote nothing"],
    ["echo begun; exec sleep 600", "the capture of search failed: took too long"],
    ["sleep 600 & echo begun", "it left something in the background that holds its output open"],
  ])("%s makes no point: %s", async (capture, message) => {
    const context = contextOf({ capture, timeout: capture.includes("exec") ? "300ms" : "1h" });
    await expect(captureCommandInto(context, vault)).rejects.toMatchObject({
      message: expect.stringContaining(message) as string,
    });
    // A stream without a byte is whole; that nothing was captured is told by the capture.
    expect(vaultFiles()).toEqual(capture === "true" ? ["data"] : []);
    await expect.poll(() => findByEnvironment({ REFLOAT_STEP: context.marker }), { timeout: 60_000 }).toEqual([]);
  });

  test("that others have killed says what to do next", async () => {
    const killed = captureCommandInto(contextOf({ capture: "echo begun; kill -9 $$" }), vault);
    await expect(killed).rejects.toMatchObject({ hint: killedHint });
  });

  test("may write nothing where that is declared, and keeps what comes after the shell has ended", async () => {
    expect((await captureCommandInto(contextOf({ capture: "true", mayBeEmpty: true }), vault)).sizeBytes).toBe(0);
    const late = "(sleep 1; echo late) & echo early";
    expect((await captureCommandInto(contextOf({ capture: late }), join(folder.path, "second"))).sizeBytes).toBe(11);
  });

  test("whose facts move meanwhile is told, and they are not compared", async () => {
    const capture = `echo 8 > '${path}/revision'; ${String(tarByPath(path)["capture"])}`;
    const captured = await captureCommandInto(contextOf({ capture }), vault);
    expect(captured.warnings).toEqual([expect.stringContaining("hash changed while the data was written")]);
    const context = contextOf();
    const outcomes = await instances.validate(context, { name: path, run: 42, runUid }, captured.facts);
    expect(outcomes.map(({ status, found }) => [status, found])).toEqual([
      ["passed", "files as captured"],
      ["skipped", "hash changed while the data was captured"],
    ]);
  });

  test("that is torn and ends well is caught by the facts of the instance", async () => {
    const torn = contextOf({ capture: `tar -C "$REFLOAT_NAME" --exclude revision -cf - .` });
    const captured = await captureCommandInto(torn, vault);
    const target = await targetOf(torn);
    await instances.restore(torn, target, createDirectoryReader(vault), captured);
    const outcomes = await instances.validate(torn, target, captured.facts);
    expect(outcomes.map(({ status, subject, found }) => [status, subject, found])).toEqual([
      ["failed", "facts: files", "1, captured 2"],
      ["failed", "facts: hash", expect.stringContaining("captured") as string],
    ]);
  });
});

describe("a restore line", () => {
  test.each([
    ['mkdir "$REFLOAT_NAME" && kill -9 $$', "ended by SIGKILL"],
    ['mkdir "$REFLOAT_NAME" && head -c 10 > "$REFLOAT_NAME/index"', "ended well without reading all of the data"],
    ['mkdir "$REFLOAT_NAME" && head -c 409000 > "$REFLOAT_NAME/index"', "ended well without reading all of the data"],
    ['mkdir "$REFLOAT_NAME" && cat > "$REFLOAT_NAME/index"; exit 5', "exit status 5"],
  ])("%s leaves what is told as partial until it is dropped", async (restore, message) => {
    const context = contextOf({ restore });
    const target = await targetOf(context);
    await expect(restoreInto(context, target)).rejects.toMatchObject({
      code: "program.failed",
      message: expect.stringContaining(message) as string,
    });
    expect(await instances.inspect(context, target)).toBe("partial");
    await instances.drop(context, target);
    expect(await instances.inspect(context, target)).toBe("absent");
  });

  test("that made nothing is no success", async () => {
    const context = contextOf({ restore: "cat > /dev/null" });
    await expect(restoreInto(context, await targetOf(context))).rejects.toMatchObject({
      message: expect.stringContaining("ended well, and inspect says") as string,
    });
  });

  test("never meets what no run made, and a drop leaves it alone", async () => {
    const context = contextOf();
    const target = await targetOf(context);
    await mkdir(target.name);
    const refused = { code: "instance.exists", message: expect.stringContaining("knows no run") as string };
    await expect(instances.inspect(context, target)).rejects.toMatchObject(refused);
    await expect(instances.drop(context, target)).rejects.toMatchObject(refused);
    expect(readdirSync(join(folder.path, "srv"))).toContain("data.r42");
  });

  test("is not believed when drop leaves the instance there", async () => {
    const context = contextOf({ drop: "true" });
    const target = await targetOf(context);
    await restoreInto(context, target);
    await expect(instances.drop(context, target)).rejects.toMatchObject({ code: "target.failed" });
  });
});

describe("secrets", () => {
  const values = { "db.password": "secret!hunter2", "db.url": "secret!redis://:hunter2@db/0" };

  test("reach a line by its environment alone, and no error", async () => {
    const environment = { TOKEN: "${db.url}" };
    const capture = 'tr "\\0" " " < /proc/$$/cmdline; echo "$TOKEN" | cut -c 1-8';
    await captureCommandInto(contextOf({ capture, environment }, values), vault);
    const failing = contextOf({ capture: 'echo "no access with $TOKEN, hunter2" >&2; exit 1', environment }, values);
    const error: unknown = await captureCommandInto(failing, join(folder.path, "second")).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ message: expect.stringContaining("no access with [secret], [secret]") as string });
    expect(JSON.stringify(error)).not.toContain("hunter2");
  });

  test("are refused in a line, and an output that holds one is one", async () => {
    await expect(
      captureCommandInto(contextOf({ capture: "tool ${db.password}" }, values), vault),
    ).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.not.stringContaining("hunter2") as string,
    });
    const outputs = { url: 'echo "redis://:$PASSWORD@localhost/0"', place: 'echo "$REFLOAT_NAME"', broken: "exit 1" };
    const context = contextOf({ environment: { PASSWORD: "${db.password}" }, outputs }, values);
    expect(await commandDriver.stableOutputs(context)).toEqual({
      name: { value: path, secret: false },
      url: { value: "redis://:hunter2@localhost/0", secret: true },
      place: { value: path, secret: false },
    });
    const { findings } = await commandDriver.preflight(context);
    expect(JSON.stringify(findings)).not.toContain("hunter2");
  });
});

describe("answers that are none", () => {
  test.each([
    ["inspect", "echo maybe", 'inspect of search says "maybe"'],
    ["inspect", "true", "inspect of search says nothing"],
    ["inspect", "exit 7", "the inspect of search failed: exit status 7"],
    ["inspect", "head -c 100000 /dev/zero | tr '\\0' x", "prints what is no answer"],
    ["inspect", "printf '\\033]0;title\\007done'", "prints what is no answer"],
  ])("%s: %s is refused", async (key, line, message) => {
    const context = contextOf({ [key]: line });
    await expect(instances.inspect(context, await targetOf(context))).rejects.toMatchObject({
      code: "program.failed",
      message: expect.stringContaining(message) as string,
    });
  });

  test.each(["[1]", "{", '{"a": {"b": 1}}', '{"a": null}'])("facts that are %s are refused", async (said) => {
    await expect(captureCommandInto(contextOf({ facts: `echo '${said}'` }), vault)).rejects.toMatchObject({
      message: expect.stringContaining("are no JSON object of texts and numbers") as string,
    });
  });
});

describe("a component that cannot be switched", () => {
  test("says so, is restored beside, and is never pretended to be", async () => {
    const context = contextOf({ name: undefined });
    const target = await targetOf(context);
    expect(target.name).toBe("search_r42");
    expect(await switching.refusal?.(context)).toContain("search has no switch of its own and its name is no path");
    expect(await switching.refusal?.(contextOf())).toBeNull();
    const exchange = { incoming: target.name, outgoing: "search_old42" };
    const seen = await switching.observe(context, exchange);
    await expect(switching.exchange(context, exchange, seen)).rejects.toMatchObject({ code: "cutover.refused" });
    const { findings } = await commandDriver.preflight(context);
    expect(findings.find(({ subject }) => subject === "switch")?.found).toContain("--no-cutover");
  });

  test("is not given a switch without identities", () => {
    const read = (more: object) => commandDriver.options.safeParse({ ...tarByPath(path), ...more });
    expect(read({ switch: "true" }).error?.issues[0]?.message).toContain("switch and identity go together");
    expect(read({ name: "word", stop: "true" }).error?.issues[0]?.message).toContain("stop goes with");
    expect(read({ outputs: { name: "true" } }).error?.issues[0]?.message).toContain("outputs has name already");
  });
});

describe("a switch", () => {
  const exchangeOf = async (context: DriverContext) => ({
    incoming: await instances.name(context, 42),
    outgoing: await instances.retiredName(context, 42),
  });

  test("of a path stops and reloads what uses it; one that is not made lets it go on", async () => {
    const log = join(folder.path, "log");
    const context = contextOf({ stop: `echo stop >> '${log}'`, reload: `echo reload >> '${log}'` });
    await restoreInto(context, await targetOf(context));
    const exchange = await exchangeOf(context);
    const before = await switching.observe(context, exchange);
    await switching.exchange(context, exchange, before);
    const failing = contextOf({ stop: `echo stop >> '${log}'; exit 1`, reload: `echo reload >> '${log}'` });
    const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
    await expect(switching.exchange(failing, back, await switching.observe(failing, back))).rejects.toMatchObject({
      message: expect.stringContaining("the stop of search failed") as string,
    });
    expect(readFileSync(log, "utf8")).toBe("stop\nreload\nstop\nreload\n");
    await expect(switching.discard(context, path)).rejects.toMatchObject({ code: "cutover.refused" });
  });

  test("whose line changes nothing is no success", async () => {
    const lines = { switch: "true", identity: 'stat -c %i "$REFLOAT_NAME" 2> /dev/null || true' };
    const context = contextOf(lines);
    await restoreInto(context, await targetOf(context));
    const exchange = await exchangeOf(context);
    await expect(
      switching.exchange(context, exchange, await switching.observe(context, exchange)),
    ).rejects.toMatchObject({ code: "cutover.conflict", message: expect.stringContaining("ended well") as string });
  });
});

describe("what was written", () => {
  test("is counted where positions are numbers, and a gap where nothing is known", async () => {
    const context = contextOf();
    const since = await writes?.position(context, null);
    if (since === undefined) throw new Error("no position");
    const ask = (asked: DriverContext) => writes?.writesSince(asked, { location: null, since });
    expect(await ask(context)).toMatchObject({ units: [], gaps: [] });
    await writeFile(join(path, "revision"), "12\n");
    expect(await ask(context)).toMatchObject({ units: [{ name: "changes", changed: 5 }], gaps: [] });
    expect(await writes?.estimateSince?.(context, since)).toMatchObject({ about: "5 changes" });
    await writeFile(join(path, "revision"), "epoch 2\n");
    expect(await ask(context)).toMatchObject({ gaps: [expect.stringContaining("its position was 7 and is epoch 2")] });
    await rm(join(path, "revision"));
    expect(await ask(context)).toMatchObject({ gaps: [expect.stringContaining("position of search failed")] });
    expect(await ask(contextOf({ position: undefined }))).toMatchObject({
      gaps: [expect.stringContaining("no position is known")],
    });
  });
});

describe("a file with a command component", () => {
  const registry = createDriverRegistry([commandBundle, filesBundle]);
  const codesOf = (more: string): readonly string[] => {
    const file = `vault: { url: /v, password: "\${file:/p}" }
services:
  shop:
    components:
      docs: { type: files, path: /srv/docs }
      search:
        type: command
        capture: tool dump
        restore: tool load --into "$REFLOAT_NAME" --docs \${docs.path}
        inspect: tool inspect
        drop: tool drop
        outputs:
          url: tool url
          token: { line: tool token, secret: true }
${more}`;
    return parseDeclaration(file, "refloat.yaml", registry).diagnostics.map(({ code }) => code);
  };
  const other = (lines: string): string =>
    `      other: { type: command, restore: cat, inspect: echo done, drop: "true", ${lines} }`;

  test.each([
    ['        environment: { TOKEN: "${file:/t}" }', []],
    [other('capture: "dump ${search.url} ${search.name}"'), []],
    [other('capture: "dump ${search.nothing}"'), ["config.unknown-reference"]],
    [other('capture: "dump ${search.token}"'), ["config.secret-in-command"]],
    [other('capture: "dump", environment: { T: "${search.token}" }'), []],
    [other('capture: "dump", facts: "facts ${file:/t}"'), ["config.secret-in-command"]],
    [other('capture: "dump", outputs: { url: "url ${env:T}" }'), ["config.secret-in-command"]],
    [other('capture: "dump", switch: "swap"'), ["config.bad-value"]],
  ])("%s has %j", (more, codes) => {
    expect(codesOf(more)).toEqual(codes);
  });
});
