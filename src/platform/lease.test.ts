import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { acquireAll } from "../core/run/acquire-all.ts";
import { createLeases } from "./lease.ts";
import { acquireProcessLock } from "./process-lock.ts";

const moduleUrl = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-lease-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Another process that holds the lease of shop until it dies; its own child lives on. */
const holdElsewhere = async () => {
  const program = `
    import { spawn } from "node:child_process";
    import { createLeases } from ${JSON.stringify(moduleUrl("lease.ts"))};
    await createLeases(${JSON.stringify(folder)}).acquire("shop", "run 42");
    const child = spawn("sleep", ["600"], { stdio: "ignore", detached: true });
    child.unref();
    console.log(child.pid);
    setInterval(() => undefined, 1000);
  `;
  const holder = execa(process.execPath, ["--input-type=module", "--eval", program], { reject: false, buffer: false });
  const [line] = (await once(holder.stdout, "data")) as [Buffer];
  return { holder, childPid: Number(line.toString()) };
};

describe("leases", () => {
  it("are held by one process, named to the others, and freed when it is killed, though its children live", async () => {
    const { holder, childPid } = await holdElsewhere();
    try {
      const leases = createLeases(folder);
      await expect(leases.acquire("shop", "run 43")).rejects.toMatchObject({
        code: "run.in-progress",
        message: expect.stringMatching(
          new RegExp(`^shop is being worked on by run 42, process ${holder.pid} on `),
        ) as unknown,
      });
      expect(await leases.holder("shop")).toContain(`process ${holder.pid}`);
      expect(await leases.holder("market")).toBeNull();

      holder.kill("SIGKILL");
      await holder;
      expect(() => process.kill(childPid, 0)).not.toThrow();
      expect(await leases.holder("shop")).toBeNull();
      const lease = await leases.acquire("shop", "run 43");
      expect(await leases.holder("shop")).toContain(`run 43, process ${process.pid}`);
      await lease.release();
    } finally {
      process.kill(childPid, "SIGKILL");
    }
  });

  it("are freed by release, once and for the next", async () => {
    const leases = createLeases(folder);
    const first = await leases.acquire("shop", "run 1");
    await first.release();
    await first.release();
    expect(await leases.holder("shop")).toBeNull();
    await (await leases.acquire("shop", "run 2")).release();
  });

  it("are private to their owner", async () => {
    const leases = createLeases(join(folder, "leases"));
    const lease = await leases.acquire("shop", "run 1");
    const modes = await Promise.all(
      ["leases", "leases/shop.lock", "leases/shop.holder"].map(
        async (name) => (await stat(join(folder, name))).mode & 0o777,
      ),
    );
    expect(modes).toEqual([0o700, 0o600, 0o600]);
    await lease.release();
  });

  it("say where they cannot be taken", async () => {
    const leases = createLeases("/dev/null/leases");
    await expect(leases.acquire("shop", "run 1")).rejects.toMatchObject({
      code: "journal.failed",
      message: "the lease of shop cannot be taken: /dev/null/leases/shop.lock",
    });
  });
});

describe("a process lock", () => {
  it("survives that others look at it from within the same process", () => {
    const path = join(folder, "x.lock");
    const lock = acquireProcessLock(path, 0);
    expect(lock).not.toBeNull();
    // Each of these opens and closes the file; a lock of the operating system's would be dropped by the first close.
    for (let look = 0; look < 3; look += 1) expect(acquireProcessLock(path, 0)).toBeNull();
    lock?.release();
    const next = acquireProcessLock(path, 0);
    expect(next).not.toBeNull();
    next?.release();
  });

  it("survives the garbage collector", async () => {
    const path = join(folder, "x.lock");
    const program = `
      import { acquireProcessLock } from ${JSON.stringify(moduleUrl("process-lock.ts"))};
      acquireProcessLock(${JSON.stringify(path)}, 0);
      for (let turn = 0; turn < 5; turn += 1) { gc(); await new Promise(setImmediate); }
      console.log("collected");
      setInterval(() => undefined, 1000);
    `;
    const holder = execa(process.execPath, ["--expose-gc", "--input-type=module", "--eval", program], {
      reject: false,
      buffer: false,
    });
    try {
      await once(holder.stdout, "data");
      expect(acquireProcessLock(path, 0)).toBeNull();
    } finally {
      holder.kill("SIGKILL");
      await holder;
    }
  });

  it("of several services are taken all or none, and who holds which is told", async () => {
    const { holder, childPid } = await holdElsewhere();
    const leases = createLeases(folder);
    const other = createLeases(folder);
    try {
      const market = await other.acquire("market", "commit of run 7");
      const refused = await acquireAll(leases, ["shop", "identity", "market"], "plan 4c1e90ab").catch(
        (error: unknown) => error,
      );
      expect(refused).toMatchObject({
        code: "run.in-progress",
        message: expect.stringMatching(
          new RegExp(
            `^market is being worked on by commit of run 7, .*; shop is being worked on by run 42, process ${holder.pid} on `,
          ),
        ) as unknown,
        state: "nothing was begun",
      });
      // What could be had was given back.
      await (await other.acquire("identity", "run 43")).release();
      await market.release();

      holder.kill("SIGKILL");
      await holder;
      const all = await acquireAll(leases, ["shop", "market", "identity", "shop"], "plan 4c1e90ab");
      for (const service of ["shop", "market", "identity"]) expect(await other.holder(service)).toContain("4c1e90ab");
      await all.release();
      for (const service of ["shop", "market", "identity"]) expect(await other.holder(service)).toBeNull();
    } finally {
      process.kill(childPid, "SIGKILL");
    }
  });
});
