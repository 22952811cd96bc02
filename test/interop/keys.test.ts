/** Passwords of a vault, made and removed by us and by stock restic. */
import { createHash } from "node:crypto";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { VaultKeys } from "../../src/core/ports/vault-keys.ts";
import { writeRecoveryKey } from "../../src/core/keys/recovery-key.ts";
import { drawRecoveryKeyBytes } from "../../src/platform/recovery-key-bytes.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openKeys } from "../../src/vault/repository/open-keys.ts";
import { password, requireRestic, restic, resticRefusal } from "./support/restic.ts";

requireRestic();

describe("the keys of a vault", () => {
  let folder: TestFolder;
  let vault: string;

  beforeEach(async () => {
    folder = await createTestFolder("refloat-keys");
    vault = `${folder.path}/vault`;
    await (await createRepository(vault, password, { clock: systemClock })).close();
  });

  afterEach(async () => {
    await folder.remove();
  });

  const open = (secret: string): Promise<VaultKeys> => openKeys(vault, secret, { clock: systemClock });
  const opens = (secret: string): Promise<boolean> =>
    open(secret).then(
      async (keys) => {
        await keys.close();
        return true;
      },
      (error: { code?: string }) => {
        expect(error.code).toBe("vault.wrong-password");
        return false;
      },
    );
  const asRestic = (secret: string, ...args: readonly string[]) =>
    execa("restic", ["--no-cache", "-r", vault, ...args], { env: { RESTIC_PASSWORD: secret } });

  it("that we add are opened, listed and removed by restic", async () => {
    const keys = await open(password);
    const added = await keys.add("a second password");
    await asRestic("a second password", "check");
    expect((await asRestic("a second password", "key", "list")).stdout).toContain(`*${added.id.slice(0, 8)}`);
    await restic(vault, "key", "remove", added.id);
    expect((await keys.list()).map(({ current }) => current)).toEqual([true]);
    expect(await opens("a second password")).toBe(false);
    await keys.close();
  });

  it("that restic adds are opened, listed and removed by us", async () => {
    await writeFile(`${folder.path}/new`, "by restic itself\n");
    await restic(vault, "key", "add", "--new-password-file", `${folder.path}/new`);
    const keys = await open(password);
    const [own, theirs] = await keys.list();
    expect([own?.current, theirs?.current]).toEqual([true, false]);
    expect(await opens("by restic itself")).toBe(true);
    await keys.remove(theirs?.id.slice(0, 8) ?? "");
    await keys.close();
    expect(await opens("by restic itself")).toBe(false);
    expect(await restic(vault, "check")).toContain("no errors were found");
  });

  it("change their password without a moment in which nothing opens", async () => {
    const keys = await open(password);
    const { added, removed } = await keys.rotate("the new password");
    expect((await keys.list()).map(({ id, current }) => [id, current])).toEqual([[added.id, true]]);
    expect(added.id).not.toBe(removed.id);
    await keys.close();
    expect(await opens(password)).toBe(false);
    expect(await resticRefusal(vault, "snapshots")).toContain("wrong password");
    await asRestic("the new password", "check");
  });

  it("never lose the last one", async () => {
    const keys = await open(password);
    const [own] = await keys.list();
    await expect(keys.remove(own?.id ?? "")).rejects.toMatchObject({ code: "key.in-use" });
    await expect(keys.remove("ffff")).rejects.toMatchObject({ code: "key.unknown" });
    await expect(keys.remove("")).rejects.toMatchObject({ code: "key.unknown" });
    const other = await keys.add("another one");
    const theirs = await open("another one");
    // What two sessions come to that remove each other's key at once.
    await rm(`${vault}/keys/${own?.id}`);
    await keys.remove(other.id);
    await keys.close();
    await theirs.close();
    expect(await readdir(`${vault}/keys`)).toHaveLength(1);
    expect(await opens(password)).toBe(true);
  });

  it("stay as they are while restic has the vault for itself", async () => {
    const keys = await open(password);
    const second = await keys.add("a second password");
    const files = (await readdir(`${vault}/keys`)).toSorted();
    // It takes its exclusive lock, and then waits for the new password.
    await execa("mkfifo", [`${folder.path}/new`]);
    const changing = asRestic(password, "key", "passwd", "--new-password-file", `${folder.path}/new`);
    // A lock that is being written has another kind of name.
    const isLocked = async () => (await readdir(`${vault}/locks`)).some((name) => /^[0-9a-f]{64}$/.test(name));
    await vi.waitUntil(isLocked, { timeout: 60_000 });
    const refused = { code: "vault.locked", retryable: true };
    await expect(keys.remove(second.id)).rejects.toMatchObject(refused);
    await expect(keys.rotate("the new password")).rejects.toMatchObject(refused);
    await expect(keys.add("a third password")).rejects.toMatchObject(refused);
    expect((await readdir(`${vault}/keys`)).toSorted()).toEqual(files);
    expect(await readdir(`${vault}/locks`)).toHaveLength(1);
    await writeFile(`${folder.path}/new`, "by restic itself\n");
    await changing;
    expect(await opens(password)).toBe(false);
    // The key that opened this session is gone.
    await expect(keys.rotate("the new password")).rejects.toMatchObject({ code: "vault.damaged" });
    await keys.close();
    expect(await opens("by restic itself")).toBe(true);
    await asRestic("a second password", "check");
  });

  it("on paper are taken however they are typed, by us, and as printed by restic", async () => {
    const printed = writeRecoveryKey(drawRecoveryKeyBytes());
    const keys = await open(password);
    await keys.add(printed);
    await keys.close();
    expect(await opens(printed)).toBe(true);
    expect(await opens(` ${printed.toLowerCase().replaceAll("-", " ")} `)).toBe(true);
    expect(await opens(printed.replace(/^./, (letter) => (letter === "7" ? "8" : "7")))).toBe(false);
    await asRestic(printed, "check");
  });

  it("that somebody forged keep no good one from being tried", async () => {
    const [name] = await readdir(`${vault}/keys`);
    const key = JSON.parse(await readFile(`${vault}/keys/${name}`, "utf8")) as object;
    for (const forged of [
      { ...key, N: 2 ** 40 },
      { ...key, p: 2 ** 30 },
      { ...key, kdf: "none" },
    ]) {
      const content = JSON.stringify(forged);
      await writeFile(`${vault}/keys/${createHash("sha256").update(content).digest("hex")}`, content);
    }
    expect(await opens(password)).toBe(true);
    await expect(open("a wrong one")).rejects.toMatchObject({
      code: "vault.damaged",
      message: expect.stringContaining("3 of 4 are damaged"),
    });
  });
});
