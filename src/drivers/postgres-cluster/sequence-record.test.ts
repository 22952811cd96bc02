import { chown, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { readSequenceRecord, removeSequenceRecord, writeSequenceRecord } from "./sequence-record.ts";

let folder: TestFolder;

beforeEach(async () => {
  folder = await createTestFolder("refloat-sequence-record");
  // Of a server's user, where we may give it away.
  if (process.getuid?.() === 0) await chown(folder.path, 4321, 4322);
});

afterEach(async () => folder.remove());

test("the record belongs to the owner of the folder, whose server sends each file of it in a base backup", async () => {
  const said = { stoppedAt: "7 1 0/3000028", moved: ["shop: orders_id_seq goes on after 7 (was at 5)"], left: [] };
  await writeSequenceRecord(folder.path, said);
  const [name = ""] = await readdir(folder.path);
  const [{ uid, gid, mode }, owner] = [await stat(join(folder.path, name)), await stat(folder.path)];
  expect({ uid, gid, mode: mode & 0o777 }).toEqual({ uid: owner.uid, gid: owner.gid, mode: 0o600 });
  expect(await readSequenceRecord(folder.path)).toEqual(said);
});

test("nothing to say leaves nothing behind, not even what was said before", async () => {
  await writeSequenceRecord(folder.path, {
    stoppedAt: "",
    moved: [],
    left: ["shop: orders_id_seq cycles; it was left at 5"],
  });
  await writeSequenceRecord(folder.path, { stoppedAt: "", moved: [], left: [] });
  expect(await readdir(folder.path)).toEqual([]);
  expect(await readSequenceRecord(folder.path)).toBeNull();
  await removeSequenceRecord(folder.path);
});

test("one that cannot be read is named with what to do about it", async () => {
  await writeSequenceRecord(folder.path, { stoppedAt: "", moved: ["one"], left: [] });
  const [name = ""] = await readdir(folder.path);
  await writeFile(join(folder.path, name), '{"stoppedAt');
  await expect(readSequenceRecord(folder.path)).rejects.toMatchObject({
    code: "target.failed",
    message: `what the switch has done to sequences cannot be read in ${join(folder.path, name)}`,
    hint: expect.stringContaining("can be removed"),
  });
});
