import { mkdir, open, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { MendProposal } from "../../model/mend.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { keepMend, readScript } from "./kept-mends.ts";

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
  await expect(keepMend(folder.path, scripts(11, 1), { mostBytes: 2000 })).rejects.toMatchObject({
    code: "source.unsupported",
  });
  await expect(keepMend(folder.path, scripts(1, 11), { mostBytes: 2000 })).rejects.toMatchObject({
    code: "source.unsupported",
  });
  expect(await readdir(mends)).toEqual([]);
  const { digest } = await keepMend(folder.path, scripts(10, 10), { mostBytes: 2000 });
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

/** A script of so many bytes that ends with its last word. */
const keepScript = async (length: number): Promise<MendProposal> => {
  const end = "commit;\n";
  const text = async function* (): AsyncGenerator<string> {
    yield "-".repeat(length - end.length);
    yield end;
  };
  const proposal = await keepMend(folder.path, {
    mend: text(),
    undo: text(),
    describe: (kept) => kept as unknown as MendProposal,
  });
  return proposal;
};

const readAtOnce = 262_144;

test.each([1, 8, 100, readAtOnce, readAtOnce + 1, 2 * readAtOnce + 5, 2 * readAtOnce])(
  "a script of %i bytes and its last word is read as it was kept",
  async (length) => {
    const proposal = await keepScript(length + 8);
    let text = "";
    for await (const piece of readScript(proposal, "mend")) text += Buffer.from(piece).toString("latin1");
    expect(text).toBe(`${"-".repeat(length)}commit;\n`);
  },
);

test.each([2 * readAtOnce, 2 * readAtOnce + 1, 2 * readAtOnce + 7, 2 * readAtOnce + 4000])(
  "the last word of a script of %i bytes that is changed while it is read is not told",
  async (length) => {
    const proposal = await keepScript(length);
    let text = "";
    let isChanged = false;
    const changing = async (): Promise<void> => {
      for await (const piece of readScript(proposal, "mend")) {
        text += Buffer.from(piece).toString("latin1");
        if (isChanged) continue;
        isChanged = true;
        const file = await open(proposal.script ?? "", "r+");
        await file.write("x", readAtOnce + 10);
        await file.close();
      }
    };
    await expect(changing()).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("is not what was shown"),
    });
    expect(text).not.toContain("commit;");
  },
);
