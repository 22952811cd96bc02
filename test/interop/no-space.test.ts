/** A vault on a file system that fills up: a clear word, no snapshot, the room given back, and the next capture succeeds. */
import { mkdir, readdir } from "node:fs/promises";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Repository } from "../../src/core/ports/vault.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { noise } from "./support/nasty-tree.ts";
import { password, requireRestic, restic } from "./support/restic.ts";

const never = new AbortController().signal;
const isRoot = process.getuid?.() === 0;

requireRestic();

describe("a full disk", () => {
  let folder: TestFolder;
  let disk: string;
  let vault: string;
  let repository: Repository;
  const content = noise(30_000_000, "too much");

  async function* parts() {
    for (let at = 0; at < content.length; at += 100_000) yield content.subarray(at, at + 100_000);
  }

  const capture = async () => {
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/dump"] });
    try {
      await writer.stream("/dump", { bytes: parts(), seal: async () => ({}) }, never);
      return await writer.commit();
    } finally {
      await writer.abort();
    }
  };

  beforeEach(async ({ skip }) => {
    skip(!isRoot, "only root may mount a small tmpfs to fill");
    folder = await createTestFolder("refloat-full");
    disk = `${folder.path}/disk`;
    vault = `${disk}/vault`;
    await mkdir(disk);
    await execa("mount", ["-t", "tmpfs", "-o", "size=20m", "tmpfs", disk]);
    repository = await createRepository(vault, password, { clock: systemClock });
  });

  afterEach(async () => {
    if (!isRoot) return;
    await repository.close();
    await execa("umount", [disk]);
    await folder.remove();
  });

  it("fails the capture, shows nothing half, and holds no room", async () => {
    await expect(capture()).rejects.toMatchObject({
      code: "vault.no-space",
      message: `the vault at ${vault} is full`,
      state: expect.stringContaining("nothing was committed"),
    });
    expect(await repository.snapshots()).toEqual([]);
    expect(await readdir(`${vault}/tmp`)).toEqual([]);
    expect(await readdir(`${vault}/snapshots`)).toEqual([]);
    expect(
      (await repository.verify({ depth: "read-data" }, never)).findings.filter(({ severity }) => severity === "error"),
    ).toEqual([]);
  });

  it("is no matter once there is room, also for the repository that met it", async () => {
    await expect(capture()).rejects.toMatchObject({ code: "vault.no-space" });
    await execa("mount", ["-o", "remount,size=100m", disk]);
    const { id } = await capture();
    const read: Uint8Array[] = [];
    for await (const part of (await repository.openSnapshot(id)).stream("/dump")) read.push(part);
    expect(Buffer.concat(read).equals(content)).toBe(true);
    await repository.close();
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
  });

  it("met at the very end, by the index or the snapshot, commits nothing either", async () => {
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/a"] });
    await writer.bytes("/a", noise(5000, "a"));
    // Fills what is left, to the last page.
    await execa("dd", ["if=/dev/zero", `of=${disk}/ballast`, "bs=4096"], { reject: false });
    await expect(writer.commit()).rejects.toMatchObject({ code: "vault.no-space" });
    await writer.abort();
    expect(await repository.snapshots()).toEqual([]);
    await execa("rm", [`${disk}/ballast`]);
    const again = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/a"] });
    await again.bytes("/a", noise(5000, "a"));
    const { id } = await again.commit();
    expect(Buffer.from(await (await repository.openSnapshot(id)).read("/a")).equals(noise(5000, "a"))).toBe(true);
  });
});
