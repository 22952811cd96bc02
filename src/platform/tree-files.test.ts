/** That the disk writes while work goes on; what is waited for in the end is syncFileSystem's own. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { writingOut } from "./tree-files.ts";

let folder: TestFolder;

beforeEach(async () => {
  folder = await createTestFolder("refloat-tree-files");
});

afterEach(async () => {
  await folder.remove();
});

/** Tells of each wait, which is over at once. */
const clockOf = (waits: () => void) => ({
  now: () => new Date(0),
  monotonicMs: () => 0,
  sleep: async (): Promise<void> => {
    waits();
  },
});

test("the file system is written out again and again while the work lasts, and not afterwards", async () => {
  let waits = 0;
  const third = Promise.withResolvers<void>();
  const clock = clockOf(() => {
    waits += 1;
    if (waits === 3) third.resolve();
  });
  const { signal } = new AbortController();
  // Before its third wait it has written out twice.
  const result = await writingOut({ path: folder.path, clock, signal }, async () => third.promise.then(() => "done"));
  expect(result).toBe("done");
  const atEnd = waits;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(waits).toBe(atEnd);
});

test("work goes on and fails as it does, whether or not the disk can be asked", async () => {
  const { signal } = new AbortController();
  const nowhere = { path: `${folder.path}/not-there`, clock: clockOf(() => undefined), signal };
  expect(await writingOut(nowhere, async () => 42)).toBe(42);
  const failing = writingOut(nowhere, async () => Promise.reject(new Error("its own")));
  await expect(failing).rejects.toThrow("its own");
});
