import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { type SshServer, startSshServer } from "../../../../testing/ssh-server.ts";
import { describeStoreContract } from "../../../../testing/store-contract.ts";
import type { Store } from "../store.ts";
import { createSftpStore, openSftpStore } from "./sftp-store.ts";

const isRoot = process.getuid?.() === 0;
const modulePath = new URL("sftp-store.ts", import.meta.url).pathname;

/** Killed by itself as soon as its half-written file is on the server. @param folder where the server keeps the store */
const leaveHalfWritten = async (location: string, sshConfig: string, folder: string): Promise<void> => {
  const script = `
    import { readdirSync } from "node:fs";
    const isThere = () => readdirSync(${JSON.stringify(join(folder, "tmp"))}).length > 0;
    const { openSftpStore } = await import(${JSON.stringify(modulePath)});
    let sent = 0;
    const pace = { download: async () => {}, upload: async (bytes) => {
      if (sent > 0) {
        while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 10));
        process.kill(process.pid, "SIGKILL");
      }
      sent += bytes;
    } };
    const store = openSftpStore(${JSON.stringify(location)}, { sshConfig: ${JSON.stringify(sshConfig)}, pace });
    await store.write("data", "a".repeat(64), Buffer.alloc(1_000_000, 1));
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "ignore", 2] });
  await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
};

for (const as of isRoot ? (["self", "nobody"] as const) : (["self"] as const)) {
  let server: SshServer;
  let number = 0;

  beforeAll(async () => {
    server = await startSshServer({ as });
  });

  afterAll(async () => {
    await server.stop();
  });

  describeStoreContract(`sftp, sshd of ${as}`, async () => {
    number += 1;
    const name = `store ${number}/deep`;
    const location = server.location(name);
    const options = { sshConfig: server.configFile };
    const store = await createSftpStore(location, options);
    const others: Store[] = [];
    return {
      store,
      reopen: () => {
        const other = openSftpStore(location, options);
        others.push(other);
        return other;
      },
      leaveHalfWritten: async () => leaveHalfWritten(location, server.configFile, join(server.folder, name)),
      cleanUp: async () => {
        for (const other of others.splice(0)) await other.close();
      },
    };
  });
}
