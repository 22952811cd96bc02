import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { MendProposal } from "../../model/mend.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import { keepMend } from "./kept-mends.ts";

test("a script that nobody could run is refused, and leaves nothing", async () => {
  const folder = await createTestFolder("refloat-kept-mends");
  async function* pieces(count: number): AsyncGenerator<string> {
    for (let at = 0; at < count; at += 1) yield "é".repeat(100);
  }
  const scripts = (mend: number, undo: number) => ({
    mend: pieces(mend),
    undo: pieces(undo),
    describe: (kept: Pick<MendProposal, "digest">) => kept as MendProposal,
  });
  try {
    await expect(keepMend(folder.path, scripts(11, 1), 2000)).rejects.toMatchObject({ code: "source.unsupported" });
    await expect(keepMend(folder.path, scripts(1, 11), 2000)).rejects.toMatchObject({ code: "source.unsupported" });
    expect(await readdir(join(folder.path, "mends"))).toEqual([]);
    const { digest } = await keepMend(folder.path, scripts(10, 10), 2000);
    expect(await readdir(join(folder.path, "mends"))).toEqual([digest.slice(0, 16)]);
  } finally {
    await folder.remove();
  }
});
