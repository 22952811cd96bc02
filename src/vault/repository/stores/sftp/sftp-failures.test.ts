/** What goes wrong between us and a real sshd, and what a person is told. */
import { randomBytes } from "node:crypto";
import { appendFile, chmod, mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SshServer, startSshServer } from "../../../../testing/ssh-server.ts";
import type { Store } from "../store.ts";
import { createSftpStore, openSftpStore } from "./sftp-store.ts";

const isRoot = process.getuid?.() === 0;
const name = "ab".repeat(32);

describe("a vault on an SSH server", () => {
  let server: SshServer;
  let store: Store;
  let folder: string;

  const sshConfig = async (label: string, lines: readonly string[]): Promise<string> => {
    const path = `${server.configFile}-${label}`;
    // ssh takes the first value that it meets.
    await writeFile(
      path,
      `Host *\n${lines.map((line) => `  ${line}\n`).join("")}${await readFile(server.configFile, "utf8")}`,
    );
    return path;
  };
  const opened = async (label: string, lines: readonly string[]): Promise<Store> =>
    openSftpStore(server.location("vault"), { sshConfig: await sshConfig(label, lines) });

  beforeAll(async () => {
    server = await startSshServer(isRoot ? { as: "nobody" } : {});
    folder = join(server.folder, "vault");
    store = await createSftpStore(server.location("vault"), { sshConfig: server.configFile });
    await store.write("data", name, randomBytes(3_000_000));
  });

  afterAll(async () => {
    await store.close();
    await server.stop();
  });

  it("lays files out as restic does, readable by their owner alone", async () => {
    expect((await readdir(folder)).sort()).toEqual(["data", "index", "keys", "locks", "snapshots", "tmp"]);
    expect((await stat(join(folder, "data", "ab", name))).mode & 0o777).toBe(0o400);
    expect((await stat(join(folder, "data"))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, "tmp"))).toEqual([]);
  });

  it("refuses to make a vault where there is one", async () => {
    await writeFile(join(folder, "config"), "");
    await expect(createSftpStore(server.location("vault"), { sshConfig: server.configFile })).rejects.toMatchObject({
      code: "vault.exists",
    });
    await rm(join(folder, "config"), { force: true });
  });

  it("sends nothing to a server that it does not know, and says how to get to know it", async () => {
    const file = join(server.folder, "none");
    const other = await opened("unknown", [`UserKnownHostsFile ${file}`]);
    await expect(other.read("data", name)).rejects.toMatchObject({
      code: "vault.untrusted-server",
      message: expect.stringMatching(/is in no file of known hosts; it shows the key SHA256:/),
      nextCommand: expect.stringMatching(/^ssh -F .* -p \d+ \w+@127\.0\.0\.1$/),
      state: "nothing was sent to it",
    });
    await other.close();
  });

  it("sends nothing to a server whose key has changed", async () => {
    const file = join(server.folder, "changed");
    await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", `${file}-key`]);
    await writeFile(file, `[127.0.0.1]:${server.port} ${await readFile(`${file}-key.pub`, "utf8")}`);
    const other = await opened("changed", [`UserKnownHostsFile ${file}`]);
    await expect(other.read("data", name)).rejects.toMatchObject({
      code: "vault.untrusted-server",
      message: expect.stringContaining("shows another key than the one that is noted for it"),
      nextCommand: `ssh-keygen -R '[127.0.0.1]:${server.port}' -f ${file}`,
    });
    await other.close();
  });

  it("does not take a key of another kind for a new one", async () => {
    const file = join(server.folder, "kind");
    await execa("ssh-keygen", ["-q", "-t", "ecdsa", "-N", "", "-f", `${file}-key`]);
    await writeFile(file, `[127.0.0.1]:${server.port} ${await readFile(`${file}-key.pub`, "utf8")}`);
    const other = await opened("kind", [`UserKnownHostsFile ${file}`]);
    await expect(other.read("data", name)).rejects.toMatchObject({
      code: "vault.untrusted-server",
      message: expect.stringContaining("has no key of the kind that is noted for it"),
    });
    await other.close();
  });

  it("says which keys were of no use", async () => {
    const locked = join(server.folder, "locked");
    await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "secret", "-f", locked]);
    const config = `${server.configFile}-locked`;
    await writeFile(
      config,
      `Host *\n  UserKnownHostsFile ${server.knownHostsFile}\n  IdentityFile ${locked}\n  IdentityAgent none\n`,
    );
    const other = openSftpStore(server.location("vault"), { sshConfig: config });
    await expect(other.read("data", name)).rejects.toMatchObject({
      code: "vault.denied",
      message: expect.stringMatching(/there is no key to log in with .*locked \(.*passphrase/),
      hint: expect.stringContaining("ssh-agent"),
    });
    await other.close();
  });

  it("logs in by ssh-agent", async () => {
    const socket = join(server.folder, "agent");
    const agent = execa("ssh-agent", ["-D", "-a", socket], { reject: false });
    try {
      await expect
        .poll(async () =>
          stat(socket).then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
      await execa("ssh-add", ["-q", server.identityFile], { env: { SSH_AUTH_SOCK: socket } });
      const config = `${server.configFile}-agent`;
      await writeFile(
        config,
        `Host *\n  UserKnownHostsFile ${server.knownHostsFile}\n  IdentityFile none\n  IdentityAgent ${socket}\n`,
      );
      const other = openSftpStore(server.location("vault"), { sshConfig: config });
      expect((await other.stat("data", name)).sizeBytes).toBe(3_000_000);
      await other.close();
    } finally {
      agent.kill();
      await agent;
    }
  });

  it("goes through a ProxyCommand and finds a host by its alias", async () => {
    const config = `${server.configFile}-alias`;
    await writeFile(
      config,
      [
        "Host backup",
        "  HostName 127.0.0.1",
        `  Port ${server.port}`,
        `  User ${server.user}`,
        `  ProxyCommand ${process.execPath} -e "const s=require('net').connect(%p,'%h');process.stdin.pipe(s);s.pipe(process.stdout)"`,
        "",
      ].join("\n"),
    );
    await appendFile(config, await readFile(server.configFile, "utf8"));
    const other = openSftpStore(`sftp:backup:${folder}`, { sshConfig: config });
    expect((await other.stat("data", name)).sizeBytes).toBe(3_000_000);
    await other.close();
  });

  it("says that a lost connection was lost, and connects again for the next call", async () => {
    let cut = false;
    const other = openSftpStore(server.location("vault"), {
      sshConfig: server.configFile,
      pace: {
        upload: async () => undefined,
        download: async () => {
          if (cut) return;
          cut = true;
          await server.cutConnections();
        },
      },
    });
    await expect(other.read("data", name)).rejects.toMatchObject({
      code: "vault.unreachable",
      message: expect.stringContaining("the connection was lost"),
    });
    expect((await other.read("data", name)).length).toBe(3_000_000);
    await other.close();
  });

  it("says that the server does not answer, and finds it again", async () => {
    await server.halt();
    await expect(store.stat("data", name)).rejects.toMatchObject({ code: "vault.unreachable" });
    await expect(store.stat("data", name)).rejects.toMatchObject({
      code: "vault.unreachable",
      message: expect.stringContaining("does not answer: connection refused"),
    });
    await server.start();
    expect((await store.stat("data", name)).sizeBytes).toBe(3_000_000);
  });

  it("says that a right is lacking, and leaves nothing behind", async () => {
    const index = join(folder, "index");
    await chmod(index, 0o500);
    const refusal = { code: "vault.denied", message: expect.stringContaining("permission denied") };
    await expect(store.write("index", name, Buffer.of(1))).rejects.toMatchObject(refusal);
    expect(await readdir(join(folder, "tmp"))).toEqual([]);
    await chmod(index, 0o700);
    await store.write("index", name, Buffer.of(1));
  });

  it("writes into a repository of restic, which has no tmp folder and not all data folders", async () => {
    for (const kind of ["config", "keys", "locks", "snapshots", "index", "data"])
      await mkdir(join(server.folder, "bare", kind), { recursive: true });
    if (isRoot) await execa("chown", ["-R", "nobody", join(server.folder, "bare")]);
    const other = openSftpStore(server.location("bare"), { sshConfig: server.configFile });
    expect(await other.sweep()).toBe(0);
    await other.write("data", name, Buffer.of(1, 2));
    expect(await other.read("data", name)).toEqual(Buffer.of(1, 2));
    await other.close();
  });

  it("says that the server's disk is full, and gives the room back", async ({ skip }) => {
    skip(!isRoot, "only root may mount a small tmpfs to fill");
    const disk = join(server.folder, "disk");
    await mkdir(disk);
    await execa("mount", ["-t", "tmpfs", "-o", "size=8m,uid=65534,mode=700", "tmpfs", disk]);
    try {
      const full = await createSftpStore(server.location("disk/vault"), { sshConfig: server.configFile });
      await expect(full.write("data", name, randomBytes(9_000_000))).rejects.toMatchObject({
        code: "vault.no-space",
        message: `the vault at ${server.location("disk/vault")} is full`,
        state: expect.stringContaining("nothing was committed"),
      });
      expect(await readdir(join(disk, "vault", "tmp"))).toEqual([]);
      await full.write("data", name, randomBytes(5_000_000));
      await full.close();
    } finally {
      // The server's own process of that connection may still hold the folder for a moment.
      await execa("umount", ["--lazy", disk]);
    }
  });
});
