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
    await memory.saveReads(reads);
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
    await memory.saveReads(new Map([["ab".repeat(32), 1]]));
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

  it("is small enough to lose", async () => {
    await memory.note((before) => before);
    expect(await readdir(folder.path)).toEqual([]);
    await memory.saveReads(new Map());
    await rm(`${folder.path}/vaults`, { recursive: true });
    expect(await memory.reads()).toEqual(new Map());
  });
});
