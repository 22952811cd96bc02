import { mkdir, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { createRepository } from "../create-repository.ts";
import { assembleRepository } from "../assemble-repository.ts";
import { openMasterKey } from "../seal/key-file.ts";
import { openStore } from "../stores/open-store.ts";
import type { Store, StoreKind } from "../stores/store.ts";

const never = new AbortController().signal;
const password = "password";
let folder: TestFolder;

beforeEach(async () => {
  folder = await createTestFolder("refloat-verification");
});
afterEach(async () => {
  await folder.remove();
});

/** Removes a file right after it was listed, once. */
const removingListed = (store: Store, removals: Map<StoreKind, string>): Store =>
  new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (name !== "list") return typeof value === "function" ? value.bind(target) : value;
      return async function* list(kind: StoreKind) {
        const files: { readonly name: string; readonly sizeBytes: number }[] = [];
        for await (const file of target.list(kind)) files.push(file);
        const going = removals.get(kind);
        removals.delete(kind);
        if (going !== undefined) await target.remove(kind, going);
        yield* files;
      };
    },
  });

it("takes nothing for damaged that goes away on purpose while it reads", async () => {
  const vault = `${folder.path}/vault`;
  await mkdir(`${folder.path}/tree`);
  await writeFile(`${folder.path}/tree/a`, "a");
  const repository = await createRepository(vault, password, { clock: systemClock });
  const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/x"] });
  await writer.tree(`${folder.path}/tree`, { exclude: [], oneFileSystem: false }, never);
  const { id } = await writer.commit();
  await repository.close();

  const store = openStore(vault, { blocking: false, settings: {} });
  const removals = new Map<StoreKind, string>();
  const watched = await assembleRepository(removingListed(store, removals), await openMasterKey(store, password), {
    clock: systemClock,
  });
  removals.set("snapshots", id);
  expect((await watched.verify({ depth: "structure" }, never)).findings).toEqual([]);
  await watched.close();
});
