/** What every store of the vault must do, as the port's docs promise; each store runs this suite on the real thing. */
import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RefloatError } from "../model/refloat-error.ts";
import { type Store, StoreFileMissing, type StoreKind, configName } from "../vault/repository/stores/store.ts";

export type StoreUnderTest = {
  /** An empty, initialised store. */
  readonly store: Store;
  /** A second handle on the same files, as another process would have. */
  readonly reopen: () => Store;
  /** Makes and leaves a half-written file, as a process does that is killed while it writes. */
  readonly leaveHalfWritten: () => Promise<void>;
  /** What of it is there for `sweep` to remove: nothing where files are gathered in memory. 1 when left out. */
  readonly leftByKilled?: 0 | 1;
  readonly cleanUp: () => Promise<void>;
};

const named = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

const names = async (store: Store, kind: StoreKind): Promise<readonly string[]> => {
  const found: string[] = [];
  for await (const { name } of store.list(kind)) found.push(name);
  return found.sort();
};

const nameKinds = ["keys", "locks", "snapshots", "index", "data"] as const;

export const describeStoreContract = (title: string, open: () => Promise<StoreUnderTest>): void => {
  describe(`store contract: ${title}`, () => {
    let under: StoreUnderTest;
    let store: Store;

    beforeEach(async () => {
      under = await open();
      ({ store } = under);
    });

    afterEach(async () => {
      await store.close();
      await under.cleanUp();
    });

    it.each(nameKinds)("keeps %s files under their names, for every handle", async (kind) => {
      const contents = [randomBytes(10), randomBytes(70_000), Buffer.alloc(0)];
      for (const content of contents) await store.write(kind, named(content), content);
      const other = under.reopen();
      expect(await names(other, kind)).toEqual(contents.map(named).sort());
      for (const content of contents) {
        expect(await other.read(kind, named(content))).toEqual(content);
        expect(await other.stat(kind, named(content))).toEqual({ name: named(content), sizeBytes: content.length });
      }
      expect(await names(other, kind === "data" ? "index" : "data")).toEqual([]);
    });

    it("keeps the config", async () => {
      await store.write("config", configName, Buffer.from("config"));
      expect((await under.reopen().read("config", configName)).toString()).toBe("config");
      expect((await under.reopen().stat("config", configName)).sizeBytes).toBe(6);
    });

    it("reads exactly the range that is asked for", async () => {
      const content = randomBytes(100_000);
      await store.write("data", named(content), content);
      for (const [offset, length] of [
        [0, 1],
        [0, 100_000],
        [99_999, 1],
        [4095, 4097],
        [50, 0],
      ] as const) {
        expect(await store.readRange("data", named(content), offset, length)).toEqual(
          content.subarray(offset, offset + length),
        );
      }
    });

    it("calls a range past the end damage", async () => {
      const content = randomBytes(100);
      await store.write("data", named(content), content);
      await expect(store.readRange("data", named(content), 90, 11)).rejects.toMatchObject({
        code: "vault.damaged",
        message: expect.stringContaining("ends too early"),
      });
    });

    it("tells a missing file from every other failure", async () => {
      const name = named(Buffer.from("nothing"));
      for (const act of [
        async () => store.read("data", name),
        async () => store.readRange("snapshots", name, 0, 1),
        async () => store.stat("index", name),
        async () => store.read("config", configName),
      ]) {
        await expect(act()).rejects.toBeInstanceOf(StoreFileMissing);
      }
    });

    it("removes, and does not mind if there is nothing to remove", async () => {
      const content = randomBytes(10);
      await store.write("locks", named(content), content);
      await store.remove("locks", named(content));
      await store.remove("locks", named(content));
      expect(await names(store, "locks")).toEqual([]);
    });

    it("takes the same file again", async () => {
      const content = randomBytes(1000);
      await store.write("data", named(content), content);
      await store.write("data", named(content), content);
      expect(await store.read("data", named(content))).toEqual(content);
    });

    it("builds a file from parts and shows it only when it is finished", async () => {
      const parts = [randomBytes(1), randomBytes(300_000), randomBytes(17)];
      const pending = store.begin("data");
      const reused = Buffer.alloc(300_000);
      for (const part of parts) {
        part.copy(reused);
        pending.append(reused.subarray(0, part.length));
        // Its memory is the caller's again at once.
        reused.fill(0);
        expect(await names(store, "data")).toEqual([]);
      }
      const content = Buffer.concat(parts);
      await pending.finish(named(content));
      expect(await under.reopen().read("data", named(content))).toEqual(content);
      pending.discard();
      expect(await names(store, "data")).toEqual([named(content)]);
    });

    it("leaves nothing of a file that is discarded", async () => {
      const pending = store.begin("data");
      pending.append(randomBytes(1000));
      pending.discard();
      pending.discard();
      await expect(pending.finish(named(Buffer.from("x")))).rejects.toBeInstanceOf(RefloatError);
      expect(await names(store, "data")).toEqual([]);
    });

    it("writes many files at once", async () => {
      const contents = Array.from({ length: 40 }, () => randomBytes(5000));
      await Promise.all(contents.map(async (content) => store.write("data", named(content), content)));
      expect(await names(store, "data")).toEqual(contents.map(named).sort());
      const read = await Promise.all(contents.map(async (content) => store.read("data", named(content))));
      expect(read).toEqual(contents);
    });

    it("refuses a name that is no id, so that no name leads elsewhere", async () => {
      for (const name of ["../config", "abc", `${"0".repeat(63)}/`, ""]) {
        await expect(store.read("data", name)).rejects.toMatchObject({ code: "bug" });
        await expect(store.write("data", name, Buffer.of(1))).rejects.toBeInstanceOf(RefloatError);
      }
      expect(await names(store, "data")).toEqual([]);
    });

    it("does not show, and sweeps, what a killed writer left, but not what a living one writes", async () => {
      await under.leaveHalfWritten();
      const living = store.begin("data");
      const content = randomBytes(100);
      living.append(content);
      for (const kind of nameKinds) expect(await names(store, kind)).toEqual([]);
      expect(await store.sweep()).toBe(under.leftByKilled ?? 1);
      expect(await store.sweep()).toBe(0);
      await living.finish(named(content));
      expect(await store.read("data", named(content))).toEqual(content);
    });
  });
};
