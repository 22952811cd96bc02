import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyAuditLog } from "../core/audit/verify-log.ts";
import type { AuditArchive, AuditLog } from "../core/ports/audit-log.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { silentLog } from "../platform/log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { createFolderAuditArchive } from "../testing/folder-audit-archive.ts";
import { createAuditLog } from "./audit-log.ts";

const program = new URL("../testing/audit-program.ts", import.meta.url).pathname;

let folder: TestFolder;
let vault: string;

beforeEach(async () => {
  folder = await createTestFolder("refloat-audit");
  vault = `${folder.path}/vault`;
  await mkdir(vault);
});

afterEach(async () => {
  await folder.remove();
});

const open = (state = "state", archive?: AuditArchive): AuditLog =>
  createAuditLog({
    directory: join(folder.path, state),
    by: { user: "ada", host: state, tool: "0.0.0" },
    clock: systemClock,
    log: silentLog,
    archive: async () => archive ?? createFolderAuditArchive(vault),
    anchors: async () => [],
  });

const act = (log: AuditLog, detail: Readonly<Record<string, string | number>> = {}) =>
  log.append({ action: "verify", outcome: "done", service: null, detail });

const proof = async (log: AuditLog) =>
  verifyAuditLog(await log.read(), { points: new Set(), departed: new Set(), recorded: [] });

const run = (args: readonly string[], killAt = 0): Promise<readonly string[]> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, ...args],
      { env: { ...process.env, KILL_AT: String(killAt) } },
      (_error, stdout) => resolve(stdout.trim().split("\n")),
    );
  });

describe("the audit log of a machine", () => {
  it("brings entries to the vault in order, each following the one before", async () => {
    const log = open();
    const begin = await log.append({ action: "capture", outcome: "begun", service: "shop", detail: {} });
    await log.append({ action: "capture", outcome: "done", service: "shop", detail: {}, ends: begin });
    expect(await log.settle()).toMatchObject({ entries: 0, reason: null, newest: { sequence: 2 } });
    const { entries, findings } = await proof(open());
    expect(findings).toEqual([]);
    expect(entries.map(({ sequence, outcome, ends }) => [sequence, outcome, ends])).toEqual([
      [1, "begun", null],
      [2, "done", 1],
    ]);
  });

  it("keeps entries while the vault cannot be reached, says so, and brings them later", async () => {
    let reachable = false;
    const real = createFolderAuditArchive(vault);
    const log = open("state", {
      ...real,
      heads: async () => {
        if (!reachable) throw new RefloatError("vault.store-failed", "the disk is away");
        return real.heads();
      },
    });
    await act(log);
    await act(log);
    expect(await log.settle()).toMatchObject({ entries: 2, reason: "the disk is away", newest: null });
    expect(await log.backlog()).toMatchObject({ entries: 2, directory: join(folder.path, "state") });
    reachable = true;
    await act(log);
    expect(await log.settle()).toMatchObject({ entries: 0, newest: { sequence: 3 } });
    expect((await proof(log)).findings).toEqual([]);
  });

  it("names the head of another machine's chain, so that its end cannot be cut off unseen", async () => {
    const [ada, bob] = [open("ada"), open("bob")];
    await act(ada);
    const { newest } = await ada.settle();
    await act(bob);
    await bob.settle();
    await act(bob);
    await bob.settle();
    const { entries } = await proof(bob);
    const { writer = "", ...head } = newest ?? {};
    expect(entries.filter(({ by }) => by.host === "bob").map(({ seen }) => seen)).toEqual([{}, { [writer]: head }]);
  });

  it("begins a chain of its own where another goes on with a copy of the state folder", async () => {
    const ada = open("ada");
    await act(ada);
    await ada.settle();
    await cp(join(folder.path, "ada"), join(folder.path, "clone"), { recursive: true });
    await act(ada, { of: "ada" });
    await ada.settle();
    const clone = open("clone");
    const begin = await clone.append({ action: "capture", outcome: "begun", service: null, detail: {} });
    await clone.settle();
    await clone.append({ action: "capture", outcome: "done", service: null, detail: {}, ends: begin });
    expect(await clone.settle()).toMatchObject({ entries: 0 });
    const { findings, chains, entries } = await proof(clone);
    expect(findings).toEqual([]);
    expect(chains.map(({ entries }) => entries)).toEqual([2, 2]);
    expect(entries.at(-1)).toMatchObject({ sequence: 2, ends: 1, by: { host: "clone" } });
  });

  it("refuses what it cannot write down, before it is begun", async () => {
    await writeFile(join(folder.path, "state"), "no folder");
    await expect(act(open())).rejects.toMatchObject({ code: "journal.failed" });
  });

  it("does not go on with a state that is not what was written", async () => {
    const log = open();
    await act(log);
    await log.settle();
    const file = join(folder.path, "state/chain.json");
    await writeFile(file, (await readFile(file, "utf8")).slice(0, 40));
    await expect(act(open())).rejects.toMatchObject({
      code: "journal.failed",
      message: `${file} is not what was written`,
    });
  });
});

describe("processes that share a state folder", () => {
  it("append at once without a gap, a fork or a lost entry", async () => {
    const state = join(folder.path, "state");
    const told = await Promise.all(["ada", "bob", "eve"].map((name) => run([state, vault, name, "15"])));
    expect(told.map((lines) => lines.length)).toEqual([16, 16, 16]);
    const log = open();
    expect(await log.settle()).toMatchObject({ entries: 0 });
    const { findings, chains } = await proof(log);
    expect(findings).toEqual([]);
    expect(chains).toMatchObject([{ entries: 45, head: { sequence: 45 } }]);
  });

  it("lose nothing that was acknowledged, and break nothing, whenever they are killed", async () => {
    const state = join(folder.path, "state");
    const acknowledged: string[] = [];
    let killed = 0;
    for (let at = 1; ; at += 1) {
      const lines = await run([state, vault, `run${at}`, "1"], at);
      acknowledged.push(...lines.filter((line) => line.startsWith("run")));
      if (lines.includes("settled")) break;
      killed += 1;
    }
    expect(killed).toBeGreaterThan(5);
    const log = open();
    const { findings, entries } = await proof(log);
    expect(findings).toEqual([]);
    const found = new Set<unknown>(entries.map(({ detail }) => detail["name"]));
    expect(acknowledged.filter((line) => !found.has(line))).toEqual([]);
    expect(new Set(entries.map(({ sequence }) => sequence)).size).toBe(entries.length);
  });
});
