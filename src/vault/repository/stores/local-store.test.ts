import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeStoreContract } from "../../../testing/store-contract.ts";
import { createLocalStore, openLocalStore } from "./local-store.ts";
import { createStore, openStore } from "./open-store.ts";

const modulePath = new URL("local-store.ts", import.meta.url).pathname;

const leaveHalfWritten = async (folder: string): Promise<void> => {
  const script = `
    const { openLocalStore } = await import(${JSON.stringify(modulePath)});
    const pending = openLocalStore(${JSON.stringify(folder)}, { blocking: true }).begin("data");
    pending.append(Buffer.alloc(5000, 1));
    process.kill(process.pid, "SIGKILL");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
  await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
};

for (const blocking of [false, true]) {
  describeStoreContract(`local, ${blocking ? "blocking" : "asynchronous"}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "refloat-store-"));
    return {
      store: await createLocalStore(folder, { blocking }),
      reopen: () => openLocalStore(folder, { blocking }),
      leaveHalfWritten: async () => leaveHalfWritten(folder),
      cleanUp: async () => rm(folder, { recursive: true, force: true }),
    };
  });
}

describe("local store", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-store-"));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("lays a repository out as restic does", async () => {
    const store = await createLocalStore(join(folder, "vault"), { blocking: false });
    const name = "ab".repeat(32);
    await store.write("data", name, Buffer.of(1));
    expect((await readdir(join(folder, "vault"))).sort()).toEqual([
      "data",
      "index",
      "keys",
      "locks",
      "snapshots",
      "tmp",
    ]);
    expect(await readdir(join(folder, "vault", "data"))).toHaveLength(256);
    const file = await stat(join(folder, "vault", "data", "ab", name));
    expect(file.mode & 0o777).toBe(0o400);
    expect(await readdir(join(folder, "vault", "tmp"))).toEqual([]);
  });

  it("writes into a repository of restic, which has no tmp folder and not all data folders", async () => {
    for (const name of ["data", "index", "keys", "locks", "snapshots"]) await mkdir(join(folder, name));
    const store = openLocalStore(folder, { blocking: true });
    await store.write("data", "cd".repeat(32), Buffer.of(1));
    expect(await store.read("data", "cd".repeat(32))).toEqual(Buffer.of(1));
  });

  it("refuses to make a vault where there is one", async () => {
    await writeFile(join(folder, "config"), "");
    await expect(createLocalStore(folder, { blocking: false })).rejects.toMatchObject({
      code: "vault.exists",
      message: `there is a vault at ${folder} already`,
    });
  });

  it("passes over half-written files of other programs", async () => {
    const store = await createLocalStore(folder, { blocking: false });
    await writeFile(join(folder, "snapshots", `${"0".repeat(64)}-tmp-123`), "half");
    await writeFile(join(folder, "data", "00", "stray"), "half");
    for (const kind of ["snapshots", "data"] as const) {
      for await (const { name } of store.list(kind)) expect.unreachable(name);
    }
  });

  it("says in which way it failed, and leaves nothing behind", async () => {
    const store = await createLocalStore(folder, { blocking: false });
    await rm(join(folder, "index"), { recursive: true });
    await writeFile(join(folder, "index"), "a file where a folder should be");
    await expect(store.write("index", "ef".repeat(32), Buffer.of(1))).rejects.toMatchObject({
      code: "vault.store-failed",
      message: `the vault at ${folder} failed to write index/${"ef".repeat(32)}: ENOTDIR`,
    });
    expect(await readdir(join(folder, "tmp"))).toEqual([]);
    await chmod(folder, 0o700);
  });
});

describe("locations", () => {
  it("takes a path, and local: before it", () => {
    for (const location of ["/srv/vault", "local:/srv/vault", "file:///srv/vault"]) {
      expect(openStore(location, { blocking: false }).location).toBe("/srv/vault");
    }
  });

  it.each(["rest:http://host/", "rclone:a:b"])("says that %s is not supported yet", async (location) => {
    const scheme = location.slice(0, location.indexOf(":"));
    const refusal = {
      code: "vault.unsupported",
      message: `a vault at ${scheme}: is not supported by this version, only one in a folder, on an SSH server or in a bucket`,
    };
    expect(() => openStore(location, { blocking: false })).toThrow(expect.objectContaining(refusal));
    await expect(createStore(location, { blocking: false })).rejects.toMatchObject(refusal);
  });

  it.each([
    ["s3:https://s3.example.com/market", "s3:https://s3.example.com/market"],
    ["s3:s3.example.com/market/shop/", "s3:https://s3.example.com/market/shop"],
    ["s3://s3.example.com/market", "s3:https://s3.example.com/market"],
    ["s3:http://127.0.0.1:9000/a/b/c", "s3:http://127.0.0.1:9000/a/b/c"],
  ])("takes the bucket that %s names", async (location, written) => {
    const store = openStore(location, { blocking: false });
    expect(store.location).toBe(written);
    await store.close();
  });

  it("refuses a bucket's address that holds a secret, without repeating it", () => {
    expect(() => openStore("s3:https://key:hunter2@s3.example.com/market", { blocking: false })).toThrow(
      expect.objectContaining({
        code: "vault.unsupported",
        message: "the location of a vault at s3.example.com holds credentials",
      }),
    );
  });

  it("keeps no past of a folder", () => {
    expect(() => openStore("/srv/vault", { blocking: false, settings: { asOf: new Date(0) } })).toThrow(
      expect.objectContaining({ code: "vault.unsupported" }),
    );
  });

  it("does not take a mistyped scheme for a folder", () => {
    expect(() => openStore("s4:bucket", { blocking: false })).toThrow(
      expect.objectContaining({
        code: "vault.unsupported",
        message: '"s4:" is no place for a vault that is known here',
      }),
    );
  });
});
