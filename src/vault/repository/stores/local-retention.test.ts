/** Locks of a folder, by the real flag on a real file system. */
import { spawn } from "node:child_process";
import { hash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, readFile, readdir, rename, stat, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { isImmutable, setImmutable } from "./immutable-flag.ts";
import { createLocalStore, openLocalStore } from "./local-store.ts";
import type { Store, StoreRetention } from "./store.ts";

const canLock = async (): Promise<boolean> => {
  const folder = await createTestFolder("refloat-locked");
  const store = await createLocalStore(folder.path, { blocking: false });
  const ability = await store.retention?.support();
  await folder.remove();
  if (ability?.locks !== true) console.warn(`tests of locked folders are skipped: ${ability?.reason ?? ""}`);
  return ability?.locks === true;
};

const modulePath = new URL("local-store.ts", import.meta.url).pathname;
const beganMs = Math.floor(Date.now() / 1000) * 1000;
const inHours = (hours: number): Date => new Date(beganMs + hours * 3_600_000);

let folder: TestFolder;
let store: Store;
let retention: StoreRetention;

beforeEach(async () => {
  folder = await createTestFolder("refloat-locked");
  store = await createLocalStore(folder.path, { blocking: false });
  if (store.retention === undefined) throw new Error("a folder keeps locks");
  ({ retention } = store);
});

afterEach(async () => {
  await folder.remove();
});

const pathOf = (name: string): string => join(folder.path, "data", name.slice(0, 2), name);

const put = async (): Promise<string> => {
  const content = randomBytes(1000);
  const name = hash("sha256", content, "hex");
  await store.write("data", name, content);
  return name;
};

describe.skipIf(!(await canLock()))("locks of a folder", () => {
  it("keep root from changing, renaming, replacing and removing a file", async () => {
    const name = await put();
    const path = pathOf(name);
    const until = inHours(1);
    expect(await retention.lockOf("data", name)).toBeNull();
    expect(await retention.lock("data", name, { until, mode: "compliance" })).toEqual({ until, mode: "governance" });
    expect(await openLocalStore(folder.path, { blocking: true }).retention?.lockOf("data", name)).toEqual({
      until,
      mode: "governance",
    });
    const stray = join(folder.path, "stray");
    await writeFile(stray, "something else");
    for (const act of [
      () => writeFile(path, "x"),
      () => chmod(path, 0o600),
      () => utimes(path, 0, 0),
      () => rename(path, join(folder.path, "away")),
      () => rename(stray, path),
      () => unlink(path),
    ])
      await expect(act()).rejects.toMatchObject({ code: "EPERM" });
    await expect(store.remove("data", name)).rejects.toMatchObject({
      code: "vault.denied",
      message: `data/${name.slice(0, 8)} is locked until ${until.toISOString()}`,
    });
    expect(hash("sha256", await readFile(path), "hex")).toBe(name);
    expect((await stat(path)).mode & 0o222).toBe(0);
  });

  it("grow and never shrink", async () => {
    const name = await put();
    const [early, late] = [inHours(1), inHours(2)];
    await retention.lock("data", name, { until: early, mode: "governance" });
    await retention.lock("data", name, { until: late, mode: "governance" });
    await retention.lock("data", name, { until: early, mode: "governance" });
    expect((await retention.lockOf("data", name))?.until).toEqual(late);
    expect((await retention.lockOfContent("data", name, 1))?.until).toEqual(late);
    await expect(retention.lockOfContent("data", name, 1_000_000)).rejects.toMatchObject({ code: "vault.damaged" });
    const others = await Promise.all([1, 2, 3, 4].map(async () => openLocalStore(folder.path, { blocking: false })));
    await Promise.all(
      others.map(async (other, at) =>
        other.retention?.lock("data", name, { until: inHours(3 + at), mode: "governance" }),
      ),
    );
    expect((await retention.lockOf("data", name))?.until).toEqual(inHours(6));
  });

  it("are there with what is written with them, and are no hindrance to writing it again", async () => {
    const content = randomBytes(10);
    const name = hash("sha256", content, "hex");
    await retention.writeLocked("snapshots", name, content, { until: inHours(1), mode: "governance" });
    await store.write("snapshots", name, content);
    await retention.writeLocked("snapshots", name, content, { until: inHours(2), mode: "governance" });
    expect((await retention.lockOf("snapshots", name))?.until).toEqual(inHours(2));
    expect(await readdir(join(folder.path, "tmp"))).toEqual([]);
  });

  it("that are over let the file go, and one that was killed between is finished by the next", async () => {
    for (const lifted of [false, true]) {
      const name = await put();
      const past = new Date(Date.now() - 2000);
      await utimes(pathOf(name), past, past);
      if (!lifted) await setImmutable(pathOf(name));
      expect(await isImmutable(pathOf(name))).toBe(!lifted);
      await store.remove("data", name);
      await expect(store.stat("data", name)).rejects.toMatchObject({ code: "vault.damaged" });
    }
  });

  it("that a killed process had begun are set by the next", async () => {
    const names = [await put(), await put(), await put()];
    const [first = "", second = "", third = ""] = names;
    // Killed between the mark of the end and the flag; between the lift of a flag and the new one; and not at all.
    await utimes(pathOf(first), inHours(1), inHours(1));
    await retention.lock("data", second, { until: inHours(1), mode: "governance" });
    const script = `
      const { clearImmutable } = await import(${JSON.stringify(new URL("immutable-flag.ts", import.meta.url).pathname)});
      await clearImmutable(${JSON.stringify(pathOf(second))});
      process.kill(process.pid, "SIGKILL");
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
    await once(child, "exit");
    expect(child.signalCode).toBe("SIGKILL");
    expect(await retention.lockOf("data", second)).toBeNull();
    const next = openLocalStore(folder.path, { blocking: false }).retention;
    await store.write("config", "", Buffer.from("config"));
    await next?.resume?.();
    expect(await Promise.all(names.map(async (name) => (await retention.lockOf("data", name))?.until))).toEqual([
      inHours(1),
      inHours(1),
      undefined,
    ]);
    await store.remove("data", third);
  });

  it("leave nothing of a killed attempt to find out whether there are any", async () => {
    const script = `
      const { openLocalStore } = await import(${JSON.stringify(modulePath)});
      const { setImmutable } = await import(${JSON.stringify(new URL("immutable-flag.ts", import.meta.url).pathname)});
      const fs = await import("node:fs");
      openLocalStore(${JSON.stringify(folder.path)}, { blocking: true }).begin("data").append(Buffer.of(1));
      const [name] = fs.readdirSync(${JSON.stringify(join(folder.path, "tmp"))});
      await setImmutable(${JSON.stringify(join(folder.path, "tmp"))} + "/" + name);
      process.kill(process.pid, "SIGKILL");
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
    await once(child, "exit");
    expect(child.signalCode).toBe("SIGKILL");
    expect(await readdir(join(folder.path, "tmp"))).toHaveLength(1);
    expect(await store.sweep()).toBe(1);
    expect(await readdir(join(folder.path, "tmp"))).toEqual([]);
  });

  it("are seen and respected by those who may not set them, who are told why", async () => {
    const name = await put();
    await retention.lock("data", name, { until: inHours(1), mode: "governance" });
    const script = `
      const { openLocalStore } = await import(${JSON.stringify(modulePath)});
      const store = openLocalStore(${JSON.stringify(folder.path)}, { blocking: false });
      const refused = await store.remove("data", ${JSON.stringify(name)}).catch(({ code }) => code);
      const lock = await store.retention.lockOf("data", ${JSON.stringify(name)});
      console.log(JSON.stringify({ support: await store.retention.support(), refused, lock }));
    `;
    const args = ["--bounding-set", "-linux_immutable", process.execPath, "--input-type=module", "--eval", script];
    const { stdout } = await execa("setpriv", args);
    expect(JSON.parse(stdout)).toEqual({
      support: {
        locks: false,
        reason: "only root may make files of a folder immutable, and this is not root",
        keptBy: "file-system",
      },
      refused: "vault.denied",
      lock: { until: inHours(1).toISOString(), mode: "governance" },
    });
    expect(await readdir(join(folder.path, "tmp"))).toEqual([]);
  });

  it("are refused with the reason where the file system has no such flag", async () => {
    const script = `
      const { createLocalStore } = await import(${JSON.stringify(modulePath)});
      const store = await createLocalStore(${JSON.stringify(join(folder.path, "data", "ram"))}, { blocking: false });
      console.log(JSON.stringify(await store.retention.support()));
    `;
    const shell = 'mkdir "$1" && mount -t ramfs none "$1" && exec "$2" --input-type=module --eval "$3"';
    const args = ["-m", "sh", "-c", shell, "sh", join(folder.path, "data", "ram"), process.execPath, script];
    const { stdout } = await execa("unshare", args);
    expect(JSON.parse(stdout)).toMatchObject({
      locks: false,
      reason: "the file system of the folder has no immutable flag",
    });
  });
});

describe("files of a folder", () => {
  it("are read-only whether or not they can be locked", async () => {
    const name = await put();
    await store.write("config", "", Buffer.from("config"));
    for (const path of [pathOf(name), join(folder.path, "config")]) expect((await stat(path)).mode & 0o777).toBe(0o400);
  });
});
