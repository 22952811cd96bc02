import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { MendProposal } from "../../model/mend.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { keepMend } from "./kept-mends.ts";

let folder: TestFolder;
let mends: string;

beforeEach(async () => {
  folder = await createTestFolder("refloat-kept-mends");
  mends = join(folder.path, "mends");
});

afterEach(async () => folder.remove());

async function* pieces(count: number): AsyncGenerator<string> {
  for (let at = 0; at < count; at += 1) yield "é".repeat(100);
}

const scripts = (mend: number, undo: number) => ({
  mend: pieces(mend),
  undo: pieces(undo),
  describe: (kept: Pick<MendProposal, "digest">) => kept as MendProposal,
});

test("a script that nobody could run is refused, and leaves nothing", async () => {
  await expect(keepMend(folder.path, scripts(11, 1), 2000)).rejects.toMatchObject({ code: "source.unsupported" });
  await expect(keepMend(folder.path, scripts(1, 11), 2000)).rejects.toMatchObject({ code: "source.unsupported" });
  expect(await readdir(mends)).toEqual([]);
  const { digest } = await keepMend(folder.path, scripts(10, 10), 2000);
  expect(await readdir(mends)).toEqual([digest.slice(0, 16)]);
});

test("what a killed process has left half written goes when the next is kept, and what may be written now does not", async () => {
  const left = async (name: string, hoursAgo: number): Promise<void> => {
    const then = new Date(Date.now() - hoursAgo * 3_600_000);
    await mkdir(join(mends, name), { recursive: true });
    await writeFile(join(mends, name, "mend.sql"), "half");
    for (const path of [join(mends, name, "mend.sql"), join(mends, name)]) await utimes(path, then, then);
  };
  await left(".00ff00ff00ff.tmp", 25);
  await left(".11ff00ff00ff.tmp", 23);
  await left(".22ff00ff00ff.tmp", 48);
  // Begun long ago, and written to still.
  await writeFile(join(mends, ".22ff00ff00ff.tmp", "mend.sql"), "more");
  await left("0123456789abcdef", 100);
  await left(".nobody.tmp", 100);
  const { digest } = await keepMend(folder.path, scripts(1, 1));
  expect((await readdir(mends)).sort()).toEqual(
    [".11ff00ff00ff.tmp", ".22ff00ff00ff.tmp", ".nobody.tmp", "0123456789abcdef", digest.slice(0, 16)].sort(),
  );
});
