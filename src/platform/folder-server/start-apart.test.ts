import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { waitUntil } from "../wait-until.ts";
import { ownerOf } from "./folder-owner.ts";
import { startApart } from "./start-apart.ts";

let folder: TestFolder;

beforeAll(async () => {
  folder = await createTestFolder();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await folder.remove();
});

it("gives a server no temporary folder of whoever starts it, since its user may not be let in there", async () => {
  vi.stubEnv("TMPDIR", folder.path);
  const context = createTestContext({ options: {}, folder: folder.path });
  const owner = await ownerOf(folder.path, context.signal);
  const words = ["/bin/sh", "-c", 'echo "in ${TMPDIR-none}, $PWD"; echo whole'];
  await startApart(context, owner, { folder: folder.path, log: "log", words });
  const said = () => readFile(join(folder.path, "log"), "utf8");
  expect(await waitUntil(context, 60_000, async () => (await said()).endsWith("whole\n"))).toBe(true);
  expect(await said()).toBe(`in none, ${folder.path}\nwhole\n`);
});
