/** Bundles as bytes: what stock age makes of them, what a wrong key and a hostile bundle make of us. */
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { generateIdentity, identityToRecipient } from "age-encryption";
import { execa } from "execa";
import { Header } from "tar";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EscrowContents, EscrowKey, EscrowLock } from "../core/ports/escrow.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { sealWithAge } from "./age-seal.ts";
import { escrowTools } from "./escrow-tools.ts";
import { hideText } from "./secret.ts";

const never = new AbortController().signal;

const password = (text: string): EscrowKey & EscrowLock => ({ kind: "password", secret: hideText(text) });

describe("an escrow bundle", () => {
  let folder: TestFolder;
  let identity: string;
  let lock: EscrowLock;
  let key: EscrowKey;

  beforeAll(async () => {
    const { exitCode } = await execa("age", ["--version"], { reject: false });
    if (exitCode !== 0) throw new Error("age is not installed: apt-get install age");
    identity = await generateIdentity();
    lock = { kind: "recipients", recipients: [await identityToRecipient(identity)] };
    key = { kind: "identity", secret: hideText(identity) };
  });

  beforeEach(async () => {
    folder = await createTestFolder("refloat-escrow-tools");
    await mkdir(`${folder.path}/tls/live`, { recursive: true });
    await writeFile(`${folder.path}/db-password`, "hunter2\n");
    await writeFile(`${folder.path}/tls/key.der`, Buffer.from([0, 255, 10, 13, 0]));
    await writeFile(`${folder.path}/tls/größe 2`, "");
    await symlink("../key.der", `${folder.path}/tls/live/current`);
  });

  afterEach(async () => {
    await folder.remove();
  });

  const gathered = async (): Promise<EscrowContents> => ({
    sealedAt: "2026-11-26T03:00:00.000Z",
    host: "here",
    vault: "v",
    items: [
      ...(await escrowTools.read(`${folder.path}/db-password`, never)),
      ...(await escrowTools.read(`${folder.path}/tls`, never)),
      { name: "env/TOKEN", source: "env:TOKEN", content: Buffer.from("t0k3n") },
    ],
  });

  it("gives every byte back, in files that only their owner may read", async () => {
    const contents = await gathered();
    expect(contents.items.map(({ source }) => source).toSorted()).toEqual(
      [
        "env:TOKEN",
        ...["db-password", "tls/größe 2", "tls/key.der", "tls/live/current"].map(
          (name) => `file:${folder.path}/${name}`,
        ),
      ].toSorted(),
    );
    const sealed = await escrowTools.seal(contents, lock);
    const opened = await escrowTools.open(sealed, key);
    expect(opened).toEqual({
      ...contents,
      items: contents.items.map((item) => ({ ...item, content: Buffer.from(item.content) })),
    });
    const target = `${folder.path}/opened`;
    await escrowTools.write(target, opened, never);
    expect(await readFile(`${target}/files${folder.path}/tls/live/current`)).toEqual(Buffer.from([0, 255, 10, 13, 0]));
    expect(await readFile(`${target}/files${folder.path}/db-password`, "utf8")).toBe("hunter2\n");
    expect(await readFile(`${target}/env/TOKEN`, "utf8")).toBe("t0k3n");
    for (const name of ["", ...(await readdir(target, { recursive: true }))]) {
      const found = await stat(`${target}/${name}`);
      expect([name, (found.mode & 0o777).toString(8)]).toEqual([name, found.isDirectory() ? "700" : "600"]);
    }
    await expect(escrowTools.write(target, opened, never)).rejects.toMatchObject({ code: "target.exists" });
  });

  it("is opened by stock age and tar", async () => {
    await writeFile(`${folder.path}/sealed.age`, await escrowTools.seal(await gathered(), lock));
    await writeFile(`${folder.path}/identity`, `# public key: ...\n${identity}\n`);
    await mkdir(`${folder.path}/by-age`);
    await execa("sh", ["-c", "age --decrypt -i identity sealed.age | tar -x -C by-age"], { cwd: folder.path });
    expect(await readFile(`${folder.path}/by-age/files${folder.path}/db-password`, "utf8")).toBe("hunter2\n");
    expect(await readFile(`${folder.path}/by-age/env/TOKEN`, "utf8")).toBe("t0k3n");
    const index = JSON.parse(await readFile(`${folder.path}/by-age/escrow.json`, "utf8")) as {
      readonly items: readonly unknown[];
    };
    expect(index.items).toHaveLength(5);
  });

  it("stays closed to another key, and says so without it", async () => {
    const sealed = await escrowTools.seal(await gathered(), lock);
    const other = hideText(await generateIdentity());
    const wrong = { code: "escrow.wrong-key", state: "nothing was written" };
    await expect(escrowTools.open(sealed, { kind: "identity", secret: other })).rejects.toMatchObject(wrong);
    await expect(escrowTools.open(sealed, password("correct horse"))).rejects.toMatchObject(wrong);
    const nonsense = { kind: "identity", secret: hideText("AGE-SECRET-KEY-1NONSENSE") } as const;
    const said = await escrowTools.open(sealed, nonsense).catch((error: unknown) => error);
    expect(said).toMatchObject({ code: "escrow.wrong-key" });
    expect(JSON.stringify(said) + String((said as Error).cause)).not.toContain("NONSENSE");
    await expect(
      escrowTools.seal(await gathered(), { kind: "recipients", recipients: ["age1x"] }),
    ).rejects.toMatchObject({ code: "usage" });
    // A flipped bit, and an end that is cut off.
    const flipped = Buffer.from(sealed);
    flipped[flipped.length - 40] = (flipped[flipped.length - 40] ?? 0) ^ 1;
    for (const bad of [flipped, sealed.subarray(0, -20)])
      await expect(escrowTools.open(bad, key)).rejects.toMatchObject({ code: "vault.damaged" });
  });

  it("is written nowhere else, whatever names somebody with the public key has put into it", async () => {
    for (const name of ["files/../../outside", "/etc/outside", "files//x", "files/./x", "other/x", "files/a\0b"]) {
      const content = Buffer.from("hostile");
      const sha256 = createHash("sha256").update(content).digest("hex");
      const index = {
        schemaVersion: 1,
        sealedAt: "2026-11-26T03:00:00.000Z",
        host: "h",
        vault: "v",
        items: [{ name, source: "file:/x", sha256 }],
      };
      const sealed = await sealWithAge(
        tarOf({ "escrow.json": Buffer.from(JSON.stringify(index)), [name]: content }),
        lock,
      );
      await expect(escrowTools.open(sealed, key)).rejects.toMatchObject({ code: "path.hostile" });
    }
    const link = await sealWithAge(tarOf({ "escrow.json": Buffer.from("{}") }, "SymbolicLink"), lock);
    await expect(escrowTools.open(link, key)).rejects.toMatchObject({ code: "vault.damaged" });
  });

  it("takes no pipe, nothing that is missing, and no data", async () => {
    await execa("mkfifo", [`${folder.path}/pipe`]);
    for (const name of ["pipe", "missing"])
      await expect(escrowTools.read(`${folder.path}/${name}`, never)).rejects.toMatchObject({
        code: "secret.unavailable",
      });
    await writeFile(`${folder.path}/two\nlines`, "");
    const lines = await escrowTools.read(`${folder.path}/two\nlines`, never);
    await expect(escrowTools.seal({ ...(await gathered()), items: lines }, lock)).rejects.toMatchObject({
      code: "usage",
    });
    const items = [{ name: "env/A", source: "env:A", content: Buffer.alloc(17 * 1024 * 1024) }];
    await expect(escrowTools.seal({ ...(await gathered()), items }, lock)).rejects.toMatchObject({ code: "usage" });
  });
});

/** As somebody else would make it. */
const tarOf = (files: Readonly<Record<string, Buffer>>, type: "File" | "SymbolicLink" = "File"): Buffer => {
  const parts: Buffer[] = [];
  for (const [path, content] of Object.entries(files)) {
    const size = type === "File" ? content.length : 0;
    const header = new Header({
      path,
      type,
      size,
      mode: 0o600,
      mtime: new Date(0),
      ...(type === "File" ? {} : { linkpath: "/etc" }),
    });
    header.encode();
    parts.push(header.block ?? Buffer.alloc(512));
    if (size > 0) parts.push(content, Buffer.alloc((512 - (size % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
};
