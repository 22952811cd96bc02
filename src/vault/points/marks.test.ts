import { readdir } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { MarkStore } from "../../core/ports/vault-marks.ts";
import type { Repository } from "../../core/ports/vault.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { createRepository } from "../repository/create-repository.ts";
import { createMarks } from "./marks.ts";

let folder: TestFolder;
let repository: Repository;
let marks: MarkStore;

beforeEach(async () => {
  folder = await createTestFolder("refloat-marks");
  repository = await createRepository(`${folder.path}/vault`, "password", { clock: systemClock });
  marks = createMarks({ repository, clock: systemClock, lockFor: async () => null });
});

afterEach(async () => {
  await repository.close();
  await folder.remove();
});

const made = (name: string, at: string, service = "shop") => marks.add({ service, name, at, by: "ada@h" });

it("are listed by the moment that they name, the newest first, and a name may repeat", async () => {
  const later = await made("upgrade", "2026-11-22T14:00:00.000Z");
  const earlier = await made("upgrade", "2026-11-22T13:00:00.000Z");
  const other = await made("upgrade", "2026-11-22T13:30:00.000Z", "notes");
  expect(await marks.list("shop")).toEqual([later, earlier]);
  expect(await marks.list()).toEqual([later, other, earlier]);
});

it("that are removed are gone from the list, and their records stay for a copy", async () => {
  const mark = await made("upgrade, 2.5.0 = big", "2026-11-22T14:00:00.000Z");
  await marks.remove(mark, "bob@h");
  expect(await marks.list("shop")).toEqual([]);
  expect((await marks.records("shop"))[0]).toBe(mark.id);
  expect(await marks.records("shop")).toHaveLength(2);
  expect(await readdir(`${folder.path}/vault/snapshots`)).toHaveLength(2);
});

it("of a form that is not known are passed over", async () => {
  const mark = await made("upgrade", "2026-11-22T14:00:00.000Z");
  for (const text of ["no JSON", JSON.stringify({ schemaVersion: 2, act: "mark", service: "shop" })]) {
    const tags = ["refloat-mark", "service=shop"];
    await repository.writeRecord({ hostname: "h", time: new Date(), tags, path: "/refloat/mark/shop/x", text });
  }
  expect(await marks.list("shop")).toEqual([mark]);
});
