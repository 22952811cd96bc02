import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { VaultMemory } from "../core/ports/vault-memory.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { silentLog } from "./log.ts";
import { createVaultMemory } from "./vault-memory.ts";

let folder: TestFolder;
let memory: VaultMemory;

beforeEach(async () => {
  folder = await createTestFolder("refloat-memory");
  memory = createVaultMemory(folder.path, "v".repeat(8), silentLog);
});

afterEach(async () => folder.remove());

const fileOf = (name: string): string => `${folder.path}/vaults/vvvvvvvv/${name}`;

describe("what is remembered of a vault", () => {
  it("is there again for the next process, apart for each vault", async () => {
    const reads = new Map([
      ["ab".repeat(32), 1_700_000_000],
      ["cd".repeat(32), 0xffff_ffff],
    ]);
    await memory.saveReads(new Map(), reads);
    await memory.note((before) => ({ ...before, seen: { p: { service: "shop", takenAt: "t" } } }));
    await memory.note((before) => ({ ...before, verified: { p: "t" } }));
    const again = createVaultMemory(folder.path, "v".repeat(8), silentLog);
    expect(await again.reads()).toEqual(reads);
    expect(await again.notes()).toEqual({
      seen: { p: { service: "shop", takenAt: "t" } },
      verification: null,
      verified: { p: "t" },
    });
    expect(await createVaultMemory(folder.path, "other", silentLog).reads()).toEqual(new Map());
  });

  it("is forgotten when it is not what was written, at any byte", async () => {
    await memory.saveReads(new Map(), new Map([["ab".repeat(32), 1]]));
    const written = await readFile(fileOf("pack-reads"));
    for (let at = 0; at < written.length; at += 1) {
      const changed = Buffer.from(written);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await writeFile(fileOf("pack-reads"), changed);
      expect(await memory.reads()).toEqual(new Map());
    }
    await writeFile(fileOf("pack-reads"), written.subarray(0, 20));
    expect(await memory.reads()).toEqual(new Map());
    await memory.note((before) => ({ ...before, verified: { p: "t" } }));
    await writeFile(fileOf("notes.json"), "{");
    expect((await memory.notes()).verified).toEqual({});
  });

  it("loses nothing of what several processes remember at once", { timeout: 300_000 }, async () => {
    const module = new URL("vault-memory.ts", import.meta.url).href;
    const log = new URL("log.ts", import.meta.url).href;
    const script = `
      const [folder, who] = process.argv.slice(1);
      const { createVaultMemory } = await import(${JSON.stringify(module)});
      const { silentLog } = await import(${JSON.stringify(log)});
      const memory = createVaultMemory(folder, "v".repeat(8), silentLog);
      const nameOf = (n) => who + String(n).padStart(63, "0");
      for (let n = 0; n < 25; n += 1) {
        await memory.note((before) => ({ ...before, verified: { ...before.verified, [who + n]: "t" } }));
        const known = await memory.reads();
        await memory.saveReads(known, new Map([...known, [nameOf(n), n + 1]]));
      }
    `;
    const workers = ["a", "b", "c"];
    const half = [`${fileOf("notes.json")}.00ff.tmp`, `${fileOf("pack-reads")}.00ff.tmp`];
    await memory.saveReads(new Map(), new Map());
    for (const file of half) await writeFile(file, "hal");
    const ends = workers.map(async (who) => {
      const child = spawn(process.execPath, ["--input-type=module", "--eval", script, folder.path, who], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const [status] = (await once(child, "exit")) as [number | null];
      return status;
    });
    // And two of one process.
    const other = createVaultMemory(folder.path, "v".repeat(8), silentLog);
    for (let n = 0; n < 25; n += 1) {
      await Promise.all([
        memory.note((before) => ({ ...before, verified: { ...before.verified, [`d${n}`]: "t" } })),
        other.note((before) => ({ ...before, verified: { ...before.verified, [`e${n}`]: "t" } })),
      ]);
    }
    expect(await Promise.all(ends)).toEqual([0, 0, 0]);
    const numbers = Array.from({ length: 25 }, (_, n) => n);
    const expected = ["a", "b", "c", "d", "e"].flatMap((who) => numbers.map((n) => `${who}${n}`));
    expect(Object.keys((await memory.notes()).verified).sort()).toEqual(expected.sort());
    expect((await memory.reads()).size).toBe(75);
    // What a killed process left half written went with the next that wrote.
    expect((await readdir(`${folder.path}/vaults/vvvvvvvv`)).sort()).toEqual([
      "memory.lock",
      "notes.json",
      "pack-reads",
    ]);
  });

  it("forgets that a pack was read when it is found damaged, whatever another process has read", async () => {
    const [sound, damaged] = ["ab".repeat(32), "cd".repeat(32)];
    const known = new Map([
      [sound, 5],
      [damaged, 5],
    ]);
    await memory.saveReads(new Map(), known);
    await memory.saveReads(
      known,
      new Map([
        [sound, 9],
        [damaged, 9],
      ]),
    );
    await memory.saveReads(known, new Map([[sound, 7]]));
    expect(await memory.reads()).toEqual(new Map([[sound, 9]]));
  });

  it("is small enough to lose", async () => {
    await memory.note((before) => before);
    expect(await readdir(folder.path)).toEqual([]);
    await memory.saveReads(new Map(), new Map());
    await rm(`${folder.path}/vaults`, { recursive: true });
    expect(await memory.reads()).toEqual(new Map());
  });
});
