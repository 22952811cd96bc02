/** That the disk writes while work goes on; what is waited for in the end is syncFileSystem's own. What it could not write is told. */
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

/** Longer than one wait of that clock. */
const work = <Result>(end: () => Result) => new Promise<void>((resolve) => setTimeout(resolve, 20)).then(end);

test("what the disk did not take fails the work, whose own failure is the one that is told", async () => {
  const { signal } = new AbortController();
  const nowhere = { path: `${folder.path}/not-there`, clock: clockOf(() => undefined), signal };
  await expect(writingOut(nowhere, async () => work(() => 42))).rejects.toMatchObject({ code: "program.failed" });
  const failing = writingOut(nowhere, async () =>
    work(() => {
      throw new Error("its own");
    }),
  );
  await expect(failing).rejects.toThrow("its own");
});
