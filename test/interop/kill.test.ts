/** A capture that is killed at any moment leaves a vault that restic accepts, without a snapshot, in which the next capture succeeds. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { describeTree, expectSameTree } from "./support/described-tree.ts";
import { noise } from "./support/nasty-tree.ts";
import { password, requireRestic, restic } from "./support/restic.ts";

const never = new AbortController().signal;
const script = new URL("support/capturing-process.ts", import.meta.url).pathname;

requireRestic();

describe("a capture that is killed", () => {
  let folder: TestFolder;
  let tree: string;
  let moments: readonly string[];

  beforeAll(async () => {
    folder = await createTestFolder("refloat-kill");
    tree = `${folder.path}/tree`;
    for (let sub = 0; sub < 6; sub += 1) {
      await mkdir(`${tree}/${sub}`, { recursive: true });
      for (let file = 0; file < 40; file += 1)
        await writeFile(`${tree}/${sub}/${file}`, noise(file * 2000, `${sub} ${file}`));
    }
    await writeFile(`${tree}/large`, noise(25_000_000, "large"));
    moments = await run("uninterrupted", Number.POSITIVE_INFINITY);
  });

  afterAll(async () => {
    await folder.remove();
  });

  /** @returns the moments that were told before the kill */
  const run = async (name: string, killAt: number): Promise<readonly string[]> => {
    const vault = `${folder.path}/${name}`;
    await (await createRepository(vault, password, { clock: systemClock })).close();
    const child = spawn(process.execPath, [script, vault, password, tree], { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(child, "exit");
    const told: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      if (told.length === killAt) child.kill("SIGKILL");
      told.push(line);
    }
    await exited;
    return told;
  };

  it("commits when nobody kills it", async () => {
    expect(moments.at(-1)).toBe("committed");
    expect(moments.length).toBeGreaterThan(60);
  });

  it.each([0, 0.02, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 0.97, 0.99])(
    "after %d of its moments leaves no snapshot and no harm",
    async (part) => {
      const vault = `${folder.path}/killed-${part}`;
      const told = await run(`killed-${part}`, Math.floor(part * (moments.length - 1)));
      // The signal may come a little later than the moment: past the commit there may be a snapshot, and it is whole.
      const snapshots = told.includes("captured") ? [0, 1] : [0];
      await restic(vault, "unlock");
      expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
      const repository = await openRepository(vault, password, { clock: systemClock });
      const found = await repository.snapshots();
      expect(snapshots).toContain(found.length);
      expect(
        (await repository.verify({ depth: "read-data" }, never)).findings.filter(
          ({ severity }) => severity === "error",
        ),
      ).toEqual([]);

      const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [tree] });
      expect(await readdir(`${vault}/tmp`)).toEqual([]);
      await writer.tree(tree, { exclude: [], oneFileSystem: false }, never);
      const { id } = await writer.commit();
      const restored = `${folder.path}/restored-${part}`;
      await (await repository.openSnapshot(id)).extract(tree, restored, never);
      await repository.close();
      expectSameTree(await describeTree(restored), await describeTree(tree), 500n);
      expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
    },
  );
});
