/** The files driver with the real vault, on trees that are hard to keep. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { chmod, link as hardLink, mkdir, open, readdir, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ComponentDriver, DriverContext } from "../../core/ports/driver.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { walkTree } from "../../platform/tree-walk.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { createRepository } from "../../vault/repository/create-repository.ts";
import { filesBundle } from "./files-bundle.ts";

const [driver] = filesBundle.components as [ComponentDriver];
const isRoot = process.getuid?.() === 0;
const signal = new AbortController().signal;

let folder: TestFolder;
let vault: Repository;
let live: string;

beforeEach(async () => {
  folder = await createTestFolder("refloat-files");
  live = join(folder.path, "srv", "uploads");
  await mkdir(live, { recursive: true });
  vault = await createRepository(join(folder.path, "vault"), "password", { clock: systemClock });
});
afterEach(async () => {
  await vault.close();
  await folder.remove();
});

const contextOf = (options: object = {}): DriverContext =>
  createTestContext<unknown>({ options: { path: live, ...options }, folder: folder.path, component: "uploads" });

const capture = async (
  context: DriverContext,
  previous: CapturedComponent | null = null,
): Promise<CapturedComponent> => {
  const writer = await vault.beginSnapshot({ hostname: "test", time: new Date(), tags: [], paths: [live] });
  const report = await driver.capture(context, writer, previous);
  const { id, newBytes } = await writer.commit();
  return {
    name: context.component,
    driver: driver.type,
    snapshot: id,
    newBytes,
    sizeBytes: report.facts.sizeBytes,
    finishedAt: new Date().toISOString(),
    ...report,
  };
};

const restore = async (context: DriverContext, captured: CapturedComponent, run = 42) => {
  const target = {
    name: await driver.instances.name(context, run),
    run,
    runUid: "0b8f2f3e-1111-4222-8333-444455556666",
  };
  const report = await driver.instances.restore(context, target, await vault.openSnapshot(captured.snapshot), captured);
  return { target, report };
};

/** All that can be said of each entry, by its raw name. */
const describeTree = async (root: string): Promise<Record<string, unknown>> => {
  const entries: Record<string, unknown> = {};
  const rules = { exclude: [], oneFileSystem: false, signal, unreadable: () => undefined };
  for await (const { path, stats } of walkTree(root, rules)) {
    const full = Buffer.concat([Buffer.from(`${root}/`), path]);
    entries[path.toString("latin1")] = {
      mode: stats.mode,
      owner: `${stats.uid}:${stats.gid}`,
      links: stats.isDirectory() ? 0 : stats.nlink,
      modifiedMs: stats.isSymbolicLink() ? 0 : Math.round(stats.mtimeMs * 100),
      ...(stats.isFile() ? { content: readFileSync(full, "latin1") } : {}),
      ...(stats.isSymbolicLink() ? { target: readlinkSync(full, { encoding: "latin1" }) } : {}),
    };
  }
  return entries;
};

const raw = (...bytes: number[]): Buffer => Buffer.concat([Buffer.from(`${live}/`), Buffer.from(bytes)]);

describe("a tree that is hard to keep", () => {
  test("comes back entry by entry, is switched in, and its old side is discarded", async () => {
    writeFileSync(raw(0xff, 0xfe, 0x2e, 0x70, 0x64, 0x66), "not UTF-8");
    mkdirSync(raw(0xe9, 0x20));
    writeFileSync(raw(0xe9, 0x20, 0x2f, 0xc3, 0x28), "inside");
    symlinkSync(Buffer.from([0xfa, 0xfb]), raw(0x6c, 0x80));
    for (const name of [
      "-rf",
      " ",
      "a\nb",
      "tab\there",
      "back\\slash",
      '"quoted"',
      "*",
      "x".repeat(255),
      "snowman ☃",
      "e\u0301",
      ".hidden",
    ])
      await writeFile(join(live, name), name);
    await mkdir(join(live, "empty"));
    await mkdir(join(live, "closed"));
    await writeFile(join(live, "closed", "inside"), "x");
    await chmod(join(live, "closed"), isRoot ? 0o000 : 0o500);
    await writeFile(join(live, "setuid"), "x");
    await chmod(join(live, "setuid"), 0o4711);
    await mkdir(join(live, "sticky"));
    await chmod(join(live, "sticky"), 0o1777);
    await symlink("/etc/passwd", join(live, "absolute"));
    await symlink("loop", join(live, "loop"));
    await symlink("../../outside", join(live, "outside"));
    await writeFile(join(live, "hard"), "linked");
    await hardLink(join(live, "hard"), join(live, "linked"));
    await writeFile(join(live, "sparse"), "begin");
    await truncate(join(live, "sparse"), 3 * 1024 * 1024);
    await writeFile(join(live, "ancient"), "x");
    await utimes(join(live, "ancient"), 1, 1.123456);
    execFileSync("/usr/bin/mkfifo", [join(live, "fifo")]);

    const context = contextOf();
    const captured = await capture(context);
    expect(captured.warnings).toEqual([]);
    const before = await describeTree(live);
    const { target, report } = await restore(context, captured);
    expect(report.warnings).toEqual([]);
    expect(await describeTree(target.name)).toEqual(before);
    expect(await driver.instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
    expect(statSync(join(target.name, "sparse")).blocks).toBeLessThan(1_000);

    const since = captured.facts.position;
    if (since === undefined) throw new Error("no position");
    const same = await driver.writes?.writesSince(context, { location: null, since, against: target.name });
    expect(same).toMatchObject({ units: [{ added: 0, changed: 0, removed: 0 }], gaps: [] });
    writeFileSync(raw(0xff, 0xff), "new and not UTF-8");
    const exportTo = join(folder.path, "lost");
    const more = await driver.writes?.writesSince(context, { location: null, since, against: target.name, exportTo });
    expect(more).toMatchObject({ units: [{ added: 1, changed: 0, removed: 0 }] });
    expect(readFileSync(join(exportTo, "uploads.csv"), "utf8")).toContain("added,\\xFF\\xFF,17,");

    const exchange = { incoming: target.name, outgoing: await driver.instances.retiredName(context, 42) };
    await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
    expect(await describeTree(live)).toEqual(before);
    await driver.switching.discard(context, exchange.outgoing);
    expect(await readdir(join(folder.path, "srv"))).toEqual(["uploads"]);
  });

  test("is restored without its socket, which is said", async () => {
    const server = createServer().listen(join(live, "socket"));
    await once(server, "listening");
    await writeFile(join(live, "file"), "x");
    try {
      const context = contextOf();
      const captured = await capture(context);
      const { target, report } = await restore(context, captured);
      expect(await driver.instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
      expect(report.warnings).toEqual([expect.stringContaining("1 sockets were not restored")]);
    } finally {
      server.close();
    }
  });

  test("takes over what has not changed, with excludes that the comparison knows too", async () => {
    await mkdir(join(live, "cache", "deep"), { recursive: true });
    for (let index = 0; index < 50; index++) await writeFile(join(live, `${index}.txt`), `number ${index}`);
    await writeFile(join(live, "cache", "deep", "big"), "x".repeat(100_000));
    await writeFile(join(live, "keep.tmp"), "x");
    const context = contextOf({ exclude: ["cache/", "*.tmp", "!keep.tmp"] });
    const first = await capture(context);
    expect(first.facts.counts).toEqual({ files: 51, directories: 0, others: 0 });
    await writeFile(join(live, "one more"), "y");
    const second = await capture(context, first);
    expect(second.facts.counts["files"]).toBe(52);
    expect(second.newBytes).toBeLessThan(first.newBytes);

    const { target } = await restore(context, first);
    expect(await driver.instances.validate(context, target, first.facts)).toMatchObject([{ status: "passed" }]);
    const since = first.facts.position;
    if (since === undefined) throw new Error("no position");
    await writeFile(join(live, "cache", "again"), "not a write that counts");
    const report = await driver.writes?.writesSince(context, { location: null, since, against: target.name });
    expect(report?.units).toEqual([{ name: "files", added: 1, changed: 0, removed: 0 }]);
    expect((await driver.writes?.writesSince(context, { location: null, since }))?.units).toEqual([
      { name: "files", added: 1, changed: 0, removed: 0 },
    ]);
  });

  test("that is a single file is captured, compared and restored", async () => {
    const path = join(live, "haproxy.cfg");
    await writeFile(path, "frontend public");
    const context = contextOf({ path });
    const captured = await capture(context);
    expect(captured.facts).toMatchObject({ sizeBytes: 15, counts: { files: 1 } });
    const { target } = await restore(context, captured);
    expect(await driver.instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
    await writeFile(path, "frontend secret!");
    const since = captured.facts.position;
    if (since === undefined) throw new Error("no position");
    const report = await driver.writes?.writesSince(context, { location: null, since, against: target.name });
    expect(report?.units).toEqual([{ name: "files", added: 0, changed: 1, removed: 0 }]);
  });

  test("that is not there makes no point", async () => {
    await expect(capture(contextOf({ path: join(folder.path, "nowhere") }))).rejects.toMatchObject({
      code: "source.failed",
      message: expect.stringContaining("nowhere") as string,
    });
  });
});

describe.runIf(isRoot)("file systems", () => {
  let mounted: string | null = null;
  const mountSmall = (path: string, size: string): void => {
    execFileSync("/usr/bin/mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
    mounted = path;
  };
  afterEach(() => {
    if (mounted !== null) execFileSync("/usr/bin/umount", ["-l", mounted]);
    mounted = null;
  });

  test("that are full end the restore with a clear word, and the drop leaves nothing", async () => {
    const handle = await open(join(live, "big"), "w");
    for (let index = 0; index < 48; index++) await handle.write(Buffer.alloc(65_536, index + 1));
    await handle.close();
    const captured = await capture(contextOf());
    const small = join(folder.path, "small");
    await mkdir(small);
    mountSmall(small, "1m");
    await mkdir(join(small, "uploads"));
    await writeFile(join(small, "uploads", "live"), "live");
    const context = contextOf({ path: join(small, "uploads") });
    const [footprint] = await driver.instances.footprint(context, captured);
    expect(footprint).toMatchObject({ path: small });
    expect(footprint?.bytes).toBeGreaterThan(3_000_000);
    const failure = await restore(context, captured).then(
      () => null,
      (error: unknown) => error as Error,
    );
    expect(failure).toMatchObject({ code: "target.failed" });
    expect(failure?.message).toMatch(/full|no space|ENOSPC/i);
    const target = { name: `${join(small, "uploads")}.r42`, run: 42, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };
    expect(await driver.instances.inspect(context, target)).toBe("partial");
    await driver.instances.drop(context, target);
    expect(await readdir(small)).toEqual(["uploads"]);
    expect(readFileSync(join(small, "uploads", "live"), "utf8")).toBe("live");
  });

  test("that are mounted at the path cannot be switched, and say so beforehand", async () => {
    await writeFile(join(live, "below"), "x");
    const captured = await capture(contextOf());
    mountSmall(live, "1m");
    await writeFile(join(live, "above"), "x");
    const context = contextOf();
    const { findings } = await driver.preflight(context);
    expect(findings).toContainEqual(
      expect.objectContaining({ ok: false, found: expect.stringContaining("mount point") as string }),
    );
    const { target } = await restore(context, captured);
    const exchange = { incoming: target.name, outgoing: `${live}.old42` };
    await expect(driver.switching.observe(context, exchange)).rejects.toMatchObject({ code: "cutover.refused" });
    await driver.instances.drop(context, target);
  });

  test("that are mounted below it are left out on demand", async () => {
    await mkdir(join(live, "mount"));
    mountSmall(join(live, "mount"), "1m");
    await writeFile(join(live, "mount", "other"), "x");
    await writeFile(join(live, "own"), "x");
    const context = contextOf({ oneFileSystem: true });
    const captured = await capture(context);
    expect(captured.facts.counts).toEqual({ files: 1, directories: 1, others: 0 });
    const { target } = await restore(context, captured);
    expect(await driver.instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
    expect((await capture(contextOf())).facts.counts["files"]).toBe(2);
  });
});

test("without perl a folder is switched by two renames, and a repeat ends one that was killed between them", async () => {
  await writeFile(join(live, "state"), "old");
  const context = contextOf();
  const captured = await capture(context);
  await writeFile(join(live, "state"), "new");
  const { target } = await restore(context, captured);
  const exchange = { incoming: target.name, outgoing: `${live}.old42` };
  const programs = join(folder.path, "programs");
  await mkdir(programs);
  for (const name of ["rm", "chmod", "sync"])
    await symlink(execFileSync("which", [name], { encoding: "utf8" }).trim(), join(programs, name));
  const { PATH } = process.env;
  process.env["PATH"] = programs;
  try {
    const said: string[] = [];
    const warned = { ...context, log: { ...context.log, warn: (message: string) => void said.push(message) } };
    const expected = await driver.switching.observe(context, exchange);
    await driver.switching.exchange(warned, exchange, expected);
    expect(said).toEqual([expect.stringContaining("perl is not installed")]);
    expect(readFileSync(join(live, "state"), "utf8")).toBe("old");
    expect((await driver.preflight(context)).findings.map(({ found }) => found)).toContainEqual(
      expect.stringContaining("two renames"),
    );

    const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
    const before = await driver.switching.observe(context, back);
    // Killed after the first of the two renames.
    execFileSync("/bin/mv", ["-T", live, back.outgoing]);
    expect(await driver.switching.observe(context, back)).toMatchObject({ stable: null, outgoing: before.stable });
    await driver.switching.exchange(context, back, before);
    expect(readFileSync(join(live, "state"), "utf8")).toBe("new");
  } finally {
    process.env["PATH"] = PATH;
  }
});
