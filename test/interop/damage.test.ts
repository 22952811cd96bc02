/** Bit rot and loss in every kind of file: always a clear error, located, and never a wrong byte. */
import { chmod, readFile, readdir, rm, truncate, writeFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { execa } from "execa";
import type { VerifyReport } from "../../src/core/ports/vault-verification.ts";
import { RefloatError } from "../../src/model/refloat-error.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { noise } from "./support/nasty-tree.ts";
import { password } from "./support/restic.ts";

const never = new AbortController().signal;
const environment = { clock: systemClock };

let folder: TestFolder;
let pristine: string;
let vault: string;
const contents: ReadonlyMap<string, Buffer> = new Map([
  ["/shop/a", noise(700_000, "a")],
  ["/shop/b", noise(3_000_000, "b")],
  ["/shop/sub/c", Buffer.from("small")],
]);

beforeAll(async () => {
  folder = await createTestFolder("refloat-damage");
  pristine = `${folder.path}/pristine`;
  vault = `${folder.path}/vault`;
  const repository = await createRepository(pristine, password, environment);
  const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/shop"] });
  for (const [path, content] of contents) await writer.bytes(path, content);
  await writer.commit();
  await repository.close();
});

afterAll(async () => {
  await folder.remove();
});

beforeEach(async () => {
  await rm(vault, { recursive: true, force: true });
  await execa("cp", ["-a", pristine, vault]);
});

const filesOf = async (kind: string): Promise<readonly string[]> => {
  if (kind === "config") return [join(vault, "config")];
  const names = await readdir(join(vault, kind), { recursive: true });
  return names.filter((name) => name.length >= 64).map((name) => join(vault, kind, name));
};

const flip = async (path: string, at: number): Promise<void> => {
  const bytes = await readFile(path);
  const index = ((at % bytes.length) + bytes.length) % bytes.length;
  bytes[index] = (bytes[index] ?? 0) ^ 0x10;
  await chmod(path, 0o600);
  await writeFile(path, bytes);
};

type Outcome = {
  readonly read: readonly string[];
  readonly errors: readonly RefloatError[];
  readonly report: VerifyReport | null;
};

/** Reads and verifies all there is; a wrong byte fails at once. */
const readAll = async (): Promise<Outcome> => {
  const read: string[] = [];
  const errors: RefloatError[] = [];
  let report: VerifyReport | null = null;
  const attempt = async (act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof RefloatError)) throw error;
      errors.push(error);
    }
  };
  await attempt(async () => {
    const repository = await openRepository(vault, password, environment);
    try {
      await attempt(async () => {
        report = await repository.verify({ depth: "read-data" }, never);
      });
      await attempt(async () => {
        const [snapshot] = await repository.snapshots();
        const reader = await repository.openSnapshot(snapshot?.id ?? "none");
        for (const [path, content] of contents) {
          await attempt(async () => {
            expect(Buffer.from(await reader.read(path)).equals(content), `${path} has a wrong byte`).toBe(true);
            read.push(path);
          });
        }
        await attempt(async () => {
          await rm(`${folder.path}/restored`, { recursive: true, force: true });
          await reader.extract("/shop", `${folder.path}/restored`, never);
          read.push("restored");
        });
      });
    } finally {
      await repository.close();
    }
  });
  return { read, errors, report };
};

const places = [0, 17, 1000, -1, -3, -50];

describe("a flipped bit", () => {
  it("is no matter in a sound vault", async () => {
    const { read, errors, report } = await readAll();
    expect(errors).toEqual([]);
    expect(read).toEqual([...contents.keys(), "restored"]);
    expect(report?.findings).toEqual([]);
  });

  it.each(["config", "keys", "snapshots", "index"])("in %s is told, and nothing is read wrong", async (kind) => {
    const [path] = await filesOf(kind);
    for (const at of places) {
      const before = await readFile(path ?? "");
      await flip(path ?? "", at);
      const { read, errors } = await readAll();
      expect(read).toEqual([]);
      expect(errors.length).toBeGreaterThan(0);
      expect(errors.every(({ code }) => ["vault.damaged", "point.unknown"].includes(code))).toBe(true);
      await writeFile(path ?? "", before);
    }
  });

  it("in a snapshot or an index is a finding with its name", async () => {
    for (const kind of ["snapshots", "index"]) {
      const [path = ""] = await filesOf(kind);
      await flip(path, 30);
      const { report } = await readAll();
      const named = kind === "index" ? "index" : "snapshot";
      expect(report?.findings).toContainEqual(
        expect.objectContaining({ severity: "error", object: { kind: named, id: path.slice(-64) } }),
      );
      await flip(path, 30);
    }
  });

  it("in a pack hurts the paths that need it, and no others", async () => {
    const seen = new Set<string>();
    for (const path of await filesOf("data")) {
      for (const at of [...places, 800_000, 2_000_000]) {
        await flip(path, at);
        const { read, errors, report } = await readAll();
        const findings = report?.findings ?? [];
        expect(findings.length).toBeGreaterThan(0);
        expect(findings.every(({ object }) => ["pack", "blob"].includes(object.kind))).toBe(true);
        expect(errors.every(({ code }) => code === "vault.damaged")).toBe(true);
        const hurt = findings.flatMap(({ affects }) => affects.map((affected) => affected.path));
        // What could not be read was announced, and what was announced as a file could not be read.
        for (const name of contents.keys()) {
          const announced = hurt.some((one) => one === name || one === "/" || name.startsWith(`${one}/`));
          expect(read.includes(name), `${name} in ${path} at ${at}`).toBe(!announced);
          if (announced) seen.add(name);
        }
        expect(read.includes("restored")).toBe(hurt.length === 0);
        await flip(path, at);
      }
    }
    expect([...seen].sort()).toEqual([...contents.keys()].sort());
  });
});

describe("loss", () => {
  const damaged = async (act: (path: string) => Promise<void>) => {
    const packs = await filesOf("data");
    const results: { readonly id: string; readonly outcome: Outcome }[] = [];
    for (const path of packs) {
      const before = await readFile(path);
      await act(path);
      results.push({ id: path.slice(-64), outcome: await readAll() });
      await rm(path, { force: true });
      await writeFile(path, before);
    }
    return results;
  };

  it("of a pack is found without reading data, and named", async () => {
    for (const { id, outcome } of await damaged(async (path) => rm(path))) {
      const finding = outcome.report?.findings.find(({ object }) => object.id === id);
      expect(finding).toMatchObject({ severity: "error", message: `the pack ${id.slice(0, 8)} is missing` });
      expect(finding?.affects.length).toBeGreaterThan(0);
      expect(outcome.errors.every(({ code }) => code === "vault.damaged")).toBe(true);
      expect(outcome.errors.length).toBeGreaterThan(0);
    }
  });

  it("of a pack's end is found, and what lies before is still read", async () => {
    let lost = 0;
    for (const { id, outcome } of await damaged(async (path) => {
      await chmod(path, 0o600);
      // Half of it, whatever its size: a fixed length would make a small pack longer instead.
      await truncate(path, Math.floor((await stat(path)).size / 2));
    })) {
      expect(outcome.report?.findings).toContainEqual(
        expect.objectContaining({
          message: expect.stringMatching(`the pack ${id.slice(0, 8)} has \\d+ bytes instead of \\d+`),
        }),
      );
      const affected = (outcome.report?.findings ?? []).flatMap(({ affects }) => affects);
      // The cut may have met no more than the header, which readers do not need.
      expect(outcome.errors.length > 0).toBe(affected.length > 0);
      lost += outcome.errors.length;
    }
    expect(lost).toBeGreaterThan(0);
  });

  it("of a pack by another's content is found", async () => {
    const [one = "", other = ""] = await filesOf("data");
    await chmod(one, 0o600);
    await writeFile(one, await readFile(other));
    const { report, errors } = await readAll();
    expect(report?.findings.some(({ object }) => object.id === one.slice(-64))).toBe(true);
    expect(errors.length).toBeGreaterThan(0);
  });

  it("of the index is told; restic makes it again from the packs' headers", async () => {
    for (const path of await filesOf("index")) await rm(path);
    const { report, read } = await readAll();
    expect(read).toEqual([]);
    expect(report?.findings.filter(({ severity }) => severity === "warning")).not.toEqual([]);
    expect(report?.findings.some(({ object }) => object.kind === "blob")).toBe(true);
    await execa("restic", ["--no-cache", "-r", vault, "rebuild-index"], { env: { RESTIC_PASSWORD: password } });
    expect((await readAll()).read).toEqual([...contents.keys(), "restored"]);
  });

  it("of all keys is told apart from a wrong password", async () => {
    for (const path of await filesOf("keys")) await rm(path);
    await expect(openRepository(vault, password, environment)).rejects.toMatchObject({
      code: "vault.damaged",
      message: `the vault at ${vault} has no key`,
    });
  });
});
