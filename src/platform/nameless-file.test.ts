import { watch } from "node:fs";
import { type FileHandle, readFile, readdir, rm } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { openNameless, openUnlinked } from "./nameless-file.ts";

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-nameless");
});
afterEach(() => folder.remove());

/** @returns the names that were made or taken away in the folder meanwhile */
const namesDuring = async (act: () => Promise<FileHandle>): Promise<{ file: FileHandle; names: readonly string[] }> => {
  const names: string[] = [];
  // A change of contents is told of a file without a name as well.
  const watcher = watch(folder.path, (event, name) => void (event === "rename" && names.push(name ?? "")));
  const file = await act();
  await pause(50);
  watcher.close();
  return { file, names };
};

/** @returns what another process reads of it, by the way that a client program is given */
const throughDescriptor = async (file: FileHandle): Promise<string> => {
  await file.writeFile("a word");
  return readFile(`/proc/${process.pid}/fd/${file.fd}`, "utf8");
};

test("a nameless file is read through its descriptor, by its owner alone, and its folder never has an entry of it", async () => {
  const { file, names } = await namesDuring(() => openNameless(folder.path));
  expect(names).toEqual([]);
  expect(await throughDescriptor(file)).toBe("a word");
  expect((await file.stat()).mode & 0o777).toBe(0o600);
  await file.close();
});

test("where the file system makes no such files, one has a name for a moment, and leaves nothing", async () => {
  const { file, names } = await namesDuring(() => openUnlinked(folder.path));
  expect(names).not.toEqual([]);
  expect(await readdir(folder.path)).toEqual([]);
  expect(await throughDescriptor(file)).toBe("a word");
  expect((await file.stat()).mode & 0o777).toBe(0o600);
  await file.close();
});

test("a folder that is not there is an error, and no reason to look for another way", async () => {
  await rm(folder.path, { recursive: true });
  await expect(openNameless(folder.path)).rejects.toMatchObject({ code: "ENOENT", syscall: "open" });
});
