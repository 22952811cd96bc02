/** What killed processes have left is removed, and by nobody's link anything else. */
import { chmod, chown, mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { partialName, sweepPartials } from "./partial-names.ts";

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-partials");
});
afterEach(() => folder.remove());

/** Of a process that is gone: no process began with the machine and has that number. */
const leaveOne = async (owner: number): Promise<string> => {
  const name = partialName(join(folder.path, "excerpt"));
  const left = join(dirname(name), basename(name).replace(/-\d+-\d+-([0-9a-f]{8})$/, "-4194303-1-$1"));
  await mkdir(join(left, "data"), { recursive: true });
  await writeFile(join(left, "data/file"), "");
  for (const path of [left, join(left, "data"), join(left, "data/file")]) await chown(path, owner, owner);
  return left;
};

it("goes, and what a living process makes stays", async () => {
  await leaveOne(process.getuid?.() ?? 0);
  const living = partialName(join(folder.path, "excerpt"));
  await mkdir(living);
  await sweepPartials(folder.path);
  expect(await readdir(folder.path)).toEqual([basename(living)]);
});

it.skipIf(!isRoot)("goes where everybody may make some by its owner's rights alone", async () => {
  await chmod(folder.path, 0o1777);
  await leaveOne(nobody);
  await sweepPartials(folder.path);
  expect(await readdir(folder.path)).toEqual([]);
  // What its owner may not remove is not removed for him.
  const left = await leaveOne(nobody);
  await chown(join(left, "data"), 0, 0);
  await sweepPartials(folder.path);
  expect(await readdir(join(left, "data"))).toEqual(["file"]);
});

it.skipIf(!isRoot)("goes whoever owns it where nobody but us makes any", async () => {
  const left = await leaveOne(nobody);
  await chown(join(left, "data"), 0, 0);
  await sweepPartials(folder.path);
  expect(await readdir(folder.path)).toEqual([]);
});
