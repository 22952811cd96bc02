import { mkdir, readFile, readdir, readlink, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ComponentDriver, DriverContext, InstanceTarget } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import { createDirectoryReader, createDirectorySink } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { filesBundle } from "./files-bundle.ts";

const [driver] = filesBundle.components as [ComponentDriver];
const runUid = "0b8f2f3e-1111-4222-8333-444455556666";

let folder: TestFolder;
let vault: string;
let live: string;

beforeEach(async () => {
  folder = await createTestFolder();
  vault = join(folder.path, "vault");
  live = join(folder.path, "srv", "uploads");
  await mkdir(vault);
  await mkdir(join(live, "invoices"), { recursive: true });
  await writeFile(join(live, "invoices", "1.pdf"), "one");
  await writeFile(join(live, "invoices", "2.pdf"), "two, a little longer");
  await writeFile(join(live, " leading blank\nand newline"), "odd");
  await symlink("invoices/1.pdf", join(live, "latest"));
});
afterEach(() => folder.remove());

const contextOf = (options: object = {}): DriverContext =>
  createTestContext({
    options: { path: live, ...options },
    folder: folder.path,
    component: "uploads",
  }) as DriverContext;

const capture = async (context: DriverContext): Promise<CapturedComponent> => {
  const report = await driver.capture(context, createDirectorySink(vault), null);
  return {
    name: context.component,
    driver: driver.type,
    snapshot: "0".repeat(64) as SnapshotId,
    newBytes: 0,
    sizeBytes: report.facts.sizeBytes,
    finishedAt: report.window.endAt,
    ...report,
  };
};

const targetOf = async (context: DriverContext, run = 42): Promise<InstanceTarget> => ({
  name: await driver.instances.name(context, run),
  run,
  runUid,
});

const captureAndRestore = async (context: DriverContext) => {
  const captured = await capture(context);
  const target = await targetOf(context);
  await driver.instances.restore(context, target, createDirectoryReader(vault), captured);
  return { captured, target };
};

const exchangeOf = async (context: DriverContext, target: InstanceTarget) => ({
  incoming: target.name,
  outgoing: await driver.instances.retiredName(context, target.run),
});

describe("a folder", () => {
  test("is captured with facts, restored beside and found to be as captured", async () => {
    const context = contextOf();
    const { captured, target } = await captureAndRestore(context);

    expect(captured.facts.counts).toEqual({ files: 3, directories: 1, others: 1 });
    expect(target.name).toBe(`${live}.r42`);
    expect(await driver.instances.inspect(context, target)).toBe("done");
    expect(await driver.instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
    expect(await driver.instances.outputs(context, target)).toEqual({ path: { value: target.name, secret: false } });
    expect(await readFile(join(target.name, "invoices", "2.pdf"), "utf8")).toBe("two, a little longer");
    expect(await readdir(target.name)).not.toContainEqual(expect.stringContaining("refloat"));
    const [footprint] = await driver.instances.footprint(context, captured);
    expect(footprint?.path).toBe(join(folder.path, "srv"));
    expect(footprint?.bytes).toBeGreaterThanOrEqual(captured.facts.sizeBytes);
  });

  test.each([
    ["a missing file", (at: string) => rm(join(at, "invoices", "1.pdf")), "facts: files"],
    ["a shorter file", (at: string) => writeFile(join(at, "invoices", "2.pdf"), "two"), "facts: bytes"],
    ["a lost link", (at: string) => rm(join(at, "latest")), "facts: others"],
  ])("whose restored side has %s does not pass", async (_what, damage, subject) => {
    const context = contextOf();
    const { captured, target } = await captureAndRestore(context);
    await damage(target.name);
    const outcomes = await driver.instances.validate(context, target, captured.facts);
    expect(outcomes.map((outcome) => outcome.status)).not.toContain("passed");
    expect(outcomes.map((outcome) => outcome.subject)).toContain(subject);
  });

  test("is switched, undone and committed by its identities", async () => {
    const context = contextOf();
    const { target } = await captureAndRestore(context);
    const exchange = await exchangeOf(context, target);
    await writeFile(join(live, "damage"), "written after the point");
    const before = await driver.switching.observe(context, exchange);

    const report = await driver.switching.exchange(context, exchange, before);

    expect(report.outgoing).toBe(`${live}.old42`);
    expect(await driver.switching.observe(context, exchange)).toEqual({
      stable: before.incoming,
      incoming: null,
      outgoing: before.stable,
    });
    expect(await readdir(live)).not.toContain("damage");
    expect(await readdir(report.outgoing)).toContain("damage");
    expect(await driver.instances.inspect(context, target)).toBe("done");
    expect((await driver.instances.outputs(context, target))["path"]?.value).toBe(live);
    await expect(driver.instances.drop(context, target)).rejects.toMatchObject({ code: "run.wrong-state" });

    const again = await driver.switching.exchange(context, exchange, before);
    expect(again.heldMs).toBe(0);

    const back = { incoming: report.outgoing, outgoing: target.name };
    await driver.switching.exchange(context, back, await driver.switching.observe(context, back));
    expect(await driver.switching.observe(context, exchange)).toEqual(before);
    expect(await readdir(live)).toContain("damage");

    await driver.switching.exchange(context, exchange, before);
    await driver.switching.discard(context, report.outgoing);
    await driver.switching.discard(context, report.outgoing);
    expect((await readdir(join(folder.path, "srv"))).toSorted()).toEqual(["uploads"]);
  });

  test("that has gone is switched in by a free name, and its nothing comes back by undo only", async () => {
    const context = contextOf();
    const { target } = await captureAndRestore(context);
    const exchange = await exchangeOf(context, target);
    await rm(live, { recursive: true });
    const before = await driver.switching.observe(context, exchange);
    expect(before).toMatchObject({ stable: null, outgoing: null });
    await driver.switching.exchange(context, exchange, before);
    expect(await readdir(live)).toContain("invoices");

    const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
    await driver.switching.exchange(context, back, await driver.switching.observe(context, back));
    expect(await driver.switching.observe(context, exchange)).toEqual(before);
  });

  test("is not taken out of service for an old side that is lost", async () => {
    const context = contextOf();
    const { target } = await captureAndRestore(context);
    const exchange = await exchangeOf(context, target);
    await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
    await rm(exchange.outgoing, { recursive: true });
    const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
    await expect(
      driver.switching.exchange(context, back, await driver.switching.observe(context, back)),
    ).rejects.toMatchObject({ code: "cutover.conflict" });
    expect(await readdir(live)).toContain("invoices");
  });

  test("is not switched when it is not what was seen before", async () => {
    const context = contextOf();
    const { target } = await captureAndRestore(context);
    const exchange = await exchangeOf(context, target);
    const before = await driver.switching.observe(context, exchange);
    await rename(live, `${live}.moved`);
    await mkdir(live);
    await expect(driver.switching.exchange(context, exchange, before)).rejects.toMatchObject({
      code: "cutover.conflict",
    });
    expect(await readdir(live)).toEqual([]);
    expect(await driver.instances.inspect(context, target)).toBe("done");
  });

  test("is not switched over a retired name that is taken", async () => {
    const context = contextOf();
    const { target } = await captureAndRestore(context);
    const exchange = await exchangeOf(context, target);
    await mkdir(exchange.outgoing);
    await expect(
      driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange)),
    ).rejects.toMatchObject({ code: "cutover.conflict" });
  });

  test("does not take over what another run or nobody made", async () => {
    const context = contextOf();
    const { target } = await captureAndRestore(context);
    const stranger = { ...target, runUid: "9b8f2f3e-1111-4222-8333-444455556666" };
    await expect(driver.instances.inspect(context, stranger)).rejects.toMatchObject({ code: "instance.exists" });
    await expect(driver.instances.drop(context, stranger)).rejects.toMatchObject({ code: "instance.exists" });

    const unmarked = await targetOf(context, 43);
    await mkdir(unmarked.name);
    await expect(driver.instances.inspect(context, unmarked)).rejects.toMatchObject({ code: "instance.exists" });
    await expect(driver.instances.drop(context, unmarked)).rejects.toMatchObject({ code: "instance.exists" });
    expect((await stat(unmarked.name)).isDirectory()).toBe(true);
  });

  test("restored before a restart of the machine is made again, unless it serves", async () => {
    const context = contextOf();
    const { target } = await captureAndRestore(context);
    const marker = join(folder.path, "srv", ".uploads.r42.refloat");
    const written = JSON.parse(await readFile(marker, "utf8")) as Record<string, unknown>;
    await writeFile(marker, JSON.stringify({ ...written, bootId: "another start" }));
    expect(await driver.instances.inspect(context, target)).toBe("partial");
    const exchange = await exchangeOf(context, target);
    await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
    expect(await driver.instances.inspect(context, target)).toBe("done");
    const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
    await driver.switching.exchange(context, back, await driver.switching.observe(context, back));
    await driver.instances.drop(context, target);
    expect(await readdir(join(folder.path, "srv"))).toEqual(["uploads"]);
  });

  test("leaves nothing after a drop, whole or partial", async () => {
    const context = contextOf();
    const { captured, target } = await captureAndRestore(context);
    await driver.instances.drop(context, target);
    await driver.instances.drop(context, target);
    expect(await driver.instances.inspect(context, target)).toBe("absent");
    expect(await readdir(join(folder.path, "srv"))).toEqual(["uploads"]);

    const reader = createDirectoryReader(vault);
    const failing = {
      ...reader,
      extract: async (path: string, to: string, signal: AbortSignal) => {
        await reader.extract(path, to, signal);
        throw new Error("the machine stops here");
      },
    };
    await expect(driver.instances.restore(context, target, failing, captured)).rejects.toThrow("stops here");
    expect(await driver.instances.inspect(context, target)).toBe("partial");
    await driver.instances.drop(context, target);
    expect(await readdir(join(folder.path, "srv"))).toEqual(["uploads"]);
  });

  test("tells what was written since the point, as CSV, on the live and on the retired side", async () => {
    const context = contextOf();
    const { captured, target } = await captureAndRestore(context);
    const since = captured.facts.position;
    if (since === undefined) throw new Error("no position");
    expect(await driver.writes?.estimateSince?.(context, since)).toEqual({
      about: "nothing",
      lastWriteAt: since.takenAt,
    });
    await writeFile(join(live, "invoices", '3, "three".pdf'), "three");
    await writeFile(join(live, "invoices", "1.pdf"), "ONE");
    await rm(join(live, "invoices", "2.pdf"));
    // An old time on a new file hides nothing.
    await utimes(join(live, "invoices", '3, "three".pdf'), 1, 1);
    expect(await driver.writes?.estimateSince?.(context, since)).toMatchObject({ about: "about 2 files" });

    const lost = join(folder.path, "lost");
    const early = await driver.writes?.writesSince(context, {
      location: null,
      since,
      against: target.name,
      exportTo: lost,
    });
    expect(early).toMatchObject({
      units: [{ name: "files", added: 1, changed: 1, removed: 1, file: "uploads.csv" }],
      gaps: [],
    });
    expect(Date.parse(early?.lastWriteAt ?? "")).toBeGreaterThan(Date.parse(captured.window.beginAt) - 1_000);
    const rows = (await readFile(join(lost, "uploads.csv"), "utf8")).trimEnd().split("\n");
    expect(rows.map((row) => row.replace(/,\d+,[^,]+$/, ""))).toEqual([
      "change,path,size_bytes,modified_at",
      "changed,invoices/1.pdf",
      "removed,invoices/2.pdf",
      'added,"invoices/3, ""three"".pdf"',
    ]);

    const sinceOnly = await driver.writes?.writesSince(context, { location: null, since });
    expect(sinceOnly?.units).toEqual([{ name: "files", added: 1, changed: 1, removed: 1 }]);

    const exchange = await exchangeOf(context, target);
    await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
    const final = await driver.writes?.writesSince(context, { location: exchange.outgoing, since, against: null });
    expect(final?.units).toEqual(early?.units.map(({ file: _file, ...unit }) => unit));

    const newSide = await driver.writes?.position(context, null);
    if (newSide === undefined) throw new Error("no position");
    const none = await driver.writes?.writesSince(context, { location: null, since: newSide });
    expect(none?.units).toEqual([{ name: "files", added: 0, changed: 0, removed: 0 }]);
    await writeFile(join(live, "first write of the new side"), "x");
    const one = await driver.writes?.writesSince(context, { location: null, since: newSide });
    expect(one?.units).toEqual([{ name: "files", added: 1, changed: 0, removed: 0 }]);
  });

  test("gives the values of an invariant by a glob", async () => {
    const context = contextOf();
    const values = async (glob: string): Promise<string[]> => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of driver.invariantValues?.(context, glob, null) ?? []) chunks.push(chunk);
      return Buffer.concat(chunks).toString().split("\n").filter(Boolean).toSorted();
    };
    await writeFile(join(live, "invoices", "1.pdf\ninvoices"), "a newline in a name is not two values");
    expect(await values("invoices/*.pdf")).toEqual(["invoices/1.pdf", "invoices/2.pdf"]);
    expect(await values("invoices/*")).toContain("invoices/1.pdf\\ninvoices");
    expect(await values("nowhere/*.pdf")).toEqual([]);
    await expect(values("../*")).rejects.toMatchObject({ code: "config.invalid" });
  });

  test("tells before anything is touched whether it can be read, restored and switched", async () => {
    const report = await driver.preflight(contextOf({ reload: "true" }));
    expect(report.findings.every(({ ok }) => ok)).toBe(true);
    expect(report.findings.map(({ found }) => found).join("\n")).toContain("atomically");
    expect(report).toMatchObject({ commands: [`read ${live}`], recoveryCommands: ["true"] });
    const missing = await driver.preflight(contextOf({ path: join(folder.path, "nowhere") }));
    expect(missing.findings).toMatchObject([{ ok: false, found: "it is not there" }]);
  });

  test("has its reader told, and tells when that failed", async () => {
    const told = join(folder.path, "told");
    await driver.reload?.(contextOf({ reload: `echo yes > '${told}'` }));
    expect(await readFile(told, "utf8")).toBe("yes\n");
    await expect(driver.reload?.(contextOf({ reload: "echo no such unit; exit 5" }))).rejects.toMatchObject({
      code: "program.failed",
      message: expect.stringContaining("no such unit") as string,
    });
  });
});

describe("a release behind a link", () => {
  let current: string;

  beforeEach(async () => {
    const releases = join(folder.path, "srv", "releases");
    await mkdir(join(releases, "2.5.0"), { recursive: true });
    await writeFile(join(releases, "2.5.0", "server.js"), "// 2.5.0");
    current = join(folder.path, "srv", "current");
    await symlink("releases/2.5.0", current);
  });

  test("is captured under the link's name, restored beside it and switched by a new link", async () => {
    const context = contextOf({ path: current });
    const { captured, target } = await captureAndRestore(context);
    expect(captured.path).toBe(current);
    expect(captured.facts.detail).toMatchObject({ link: "releases/2.5.0" });
    expect(target.name).toBe(join(folder.path, "srv", "releases", "current_r42"));
    const exchange = await exchangeOf(context, target);
    const before = await driver.switching.observe(context, exchange);
    expect(before).toEqual({ stable: "link:releases/2.5.0", incoming: "link:releases/current_r42", outgoing: null });

    await driver.switching.exchange(context, exchange, before);
    const after = await driver.switching.observe(context, exchange);
    expect(after).toEqual({ stable: "link:releases/current_r42", incoming: null, outgoing: "link:releases/2.5.0" });
    expect(await readlink(current)).toBe("releases/current_r42");
    expect(await driver.instances.name(context, 42)).toBe(target.name);
    expect(await driver.instances.inspect(context, target)).toBe("done");

    const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
    await driver.switching.exchange(context, back, await driver.switching.observe(context, back));
    expect(await driver.switching.observe(context, exchange)).toEqual(before);
    expect(await readlink(current)).toBe("releases/2.5.0");

    await driver.switching.exchange(context, exchange, before);
    await driver.switching.discard(context, exchange.outgoing);
    await driver.switching.discard(context, exchange.outgoing);
    expect(await readdir(join(folder.path, "srv", "releases"))).toEqual(["current_r42"]);
    expect((await readdir(join(folder.path, "srv"))).toSorted()).toEqual(["current", "releases", "uploads"]);
    await expect(driver.switching.discard(context, target.name)).rejects.toMatchObject({ code: "run.wrong-state" });
  });
});

describe("a single file", () => {
  test("is captured, restored beside and exchanged", async () => {
    const path = join(live, "invoices", "1.pdf");
    const context = contextOf({ path });
    const { target } = await captureAndRestore(context);
    await writeFile(path, "spoilt");
    const exchange = await exchangeOf(context, target);
    await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
    expect(await readFile(path, "utf8")).toBe("one");
    expect(await readFile(exchange.outgoing, "utf8")).toBe("spoilt");
  });
});
