import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDirectoryReader, createDirectorySink } from "./directory-vault.ts";

let root: string;
const signal = new AbortController().signal;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "refloat-directory-vault-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function* pieces(...texts: string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

test("a sealed stream is kept and read back in ranges; one whose seal fails is not", async () => {
  const sink = createDirectorySink(root);
  const receipt = await sink.stream(
    "/db/1.dat",
    { bytes: pieces("ab", "cdef"), seal: async () => ({ rows: 2 }) },
    signal,
  );
  expect(receipt).toMatchObject({ path: "/db/1.dat", sizeBytes: 6, rows: 2 });
  expect(receipt.sha256).toMatch(/^bef57ec7f53a/);
  const broken = { bytes: pieces("half"), seal: async () => Promise.reject(new Error("producer died")) };
  await expect(sink.stream("/db/2.dat", broken, signal)).rejects.toThrow("producer died");
  expect(existsSync(join(root, "db/2.dat"))).toBe(false);

  const reader = createDirectoryReader(root);
  const read: Buffer[] = [];
  for await (const chunk of reader.stream("/db/1.dat", { offset: 1, length: 3 })) read.push(Buffer.from(chunk));
  expect(Buffer.concat(read).toString()).toBe("bcd");
  await expect(reader.read("/db/2.dat")).rejects.toMatchObject({ code: "point.unknown" });
  await expect(sink.bytes("/../out", Buffer.from(""))).rejects.toMatchObject({ code: "path.hostile" });
});

test("a tree goes in and comes out with its links, and never over what exists", async () => {
  const local = join(root, "local");
  await mkdir(join(local, "a"), { recursive: true });
  await writeFile(join(local, "a", "f"), "content");
  await symlink("a/f", join(local, "link"));
  const vault = join(root, "vault");
  await mkdir(vault);
  const rules = { exclude: [], oneFileSystem: false, as: "/srv" };
  expect(await createDirectorySink(vault).tree(local, rules, signal)).toMatchObject({
    files: 1,
    directories: 1,
    others: 1,
    sizeBytes: 7,
  });
  const reader = createDirectoryReader(vault);
  const target = join(root, "out");
  expect(await reader.extract("/srv", target, signal)).toMatchObject({ files: 1, directories: 1, sizeBytes: 7 });
  expect(await readFile(join(target, "a/f"), "utf8")).toBe("content");
  expect(await readlink(join(target, "link"))).toBe("a/f");
  await expect(reader.extract("/srv", target, signal)).rejects.toMatchObject({ code: "target.failed" });
});
