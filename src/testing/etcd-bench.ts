/** What tests of the `etcd` driver share: contexts for a test server, captures in a folder, all keys of a server or of a folder in one text. */
import { createReadStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { z } from "zod";
import { captureEtcd } from "../drivers/etcd/capture.ts";
import { etcdBundle } from "../drivers/etcd/etcd-bundle.ts";
import type { EtcdContext, EtcdOptions } from "../drivers/etcd/etcd-options.ts";
import { parseEtcdUrl } from "../drivers/etcd/etcd-target.ts";
import { withEtcd } from "../drivers/etcd/gateway.ts";
import { readInstanceRecord } from "../drivers/etcd/instance-server.ts";
import type { CaptureSink, FolderEntry, TreeReader } from "../core/ports/vault-snapshots.ts";
import type { ComponentDriver } from "../core/ports/driver.ts";
import type { SnapshotId } from "../model/identifiers.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { runProgram } from "../platform/subprocess.ts";
import { createDirectorySink } from "./directory-vault.ts";
import { createTestContext } from "./driver-context.ts";
import type { EtcdServer } from "./etcd-server.ts";
import { findFreePort } from "./free-port.ts";

const [driver] = etcdBundle.components;
if (driver === undefined) throw new Error("the bundle has no driver");
export const etcdDriver: ComponentDriver = driver;

type BenchOptions = Partial<EtcdOptions> & { readonly values?: Readonly<Record<string, string>> };

export const etcdContext = async (
  server: EtcdServer,
  folder: string,
  { values, ...more }: BenchOptions = {},
): Promise<EtcdContext> => {
  const port = await findFreePort(4);
  return createTestContext<EtcdOptions>({
    options: {
      data: server.data,
      url: server.url,
      ports: `${port}-${port + 3}`,
      start: server.startLine,
      stop: server.stopLine,
      ...more,
    },
    folder,
    component: "config",
    ...(values === undefined ? {} : { values }),
  });
};

/** Captures into `folder`, which is made. @param around what is to happen while it goes on */
export const captureEtcdInto = async (
  context: EtcdContext,
  folder: string,
  around: (sink: CaptureSink) => CaptureSink = (sink) => sink,
): Promise<CapturedComponent> => {
  await mkdir(folder, { recursive: true });
  const report = await captureEtcd(context, around(createDirectorySink(folder)), null);
  return {
    name: "config",
    driver: "etcd",
    snapshot: "0".repeat(64) as SnapshotId,
    sizeBytes: report.facts.sizeBytes,
    newBytes: report.facts.sizeBytes,
    finishedAt: report.window.endAt,
    ...report,
  };
};

const contentAt = async (port: number): Promise<string> =>
  (
    await runProgram(
      "etcdctl",
      ["--endpoints", `http://127.0.0.1:${port}`, "get", "", "--from-key", "--write-out", "fields"],
      { signal: new AbortController().signal, environment: { ETCDCTL_API: "3" } },
    )
  ).stdout
    .split("\n")
    // Keys, values and their revisions; not who answers.
    .filter((line) => /^"(?:Key|Value|ModRevision|CreateRevision|Version|Lease)"/.test(line))
    .join("\n");

/** @param location a folder, or null for the live server. One on which no server runs is read by a server that is started for that. */
export const readEtcdContent = async (server: EtcdServer, location: string | null): Promise<string> => {
  if (location === null || location === server.data) return contentAt(server.port);
  const record = await readInstanceRecord(location);
  if (record !== null) return contentAt(record.port);
  const [client, peer] = [await findFreePort(), await findFreePort()];
  const url = `http://127.0.0.1:${client}`;
  const running = execa(
    "etcd",
    ["--data-dir", location, "--listen-client-urls", url, "--advertise-client-urls", url].concat([
      "--listen-peer-urls",
      `http://127.0.0.1:${peer}`,
    ]),
    { reject: false, stdio: "ignore", cwd: join(location, "..") },
  );
  try {
    for (;;) {
      const content = await contentAt(client).catch(() => null);
      if (content !== null) return content;
      await delay(20);
    }
  } finally {
    running.kill("SIGTERM");
    await running;
  }
};

/** Reads what `captureEtcdInto` has put into `folder` as the vault would, and verifies nothing. */
export const etcdSnapshotTree = (folder: string): TreeReader => {
  const pathOf = (name: Uint8Array): string => join(folder, Buffer.from(name).toString("utf8"));
  const tree: Pick<TreeReader, "entry" | "content"> = {
    entry: async (path) => {
      const name = Buffer.from(path);
      const found = await stat(pathOf(name)).catch(() => null);
      return found === null ? undefined : ({ name, sizeBytes: found.size } as unknown as FolderEntry);
    },
    content: (entry, range = { offset: 0, length: entry.sizeBytes }) =>
      createReadStream(pathOf(entry.name), { start: range.offset, end: range.offset + range.length - 1 }),
  };
  return tree as TreeReader;
};

/** Puts and removals in transactions of a hundred, each key at most once in `changes`. */
export const writeEtcd = async (
  server: EtcdServer,
  changes: readonly { readonly key: Uint8Array; readonly value: Uint8Array | null }[],
): Promise<void> => {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const target = { ...parseEtcdUrl(server.url), tls: null };
  const never = new AbortController().signal;
  await withEtcd({ target, signal: never }, async (gateway) => {
    for (let at = 0; at < changes.length; at += 100) {
      const success = changes
        .slice(at, at + 100)
        .map(({ key, value }) =>
          value === null
            ? { request_delete_range: { key: base64(key) } }
            : { request_put: { key: base64(key), value: base64(value) } },
        );
      await gateway.ask("kv/txn", { success }, z.object({ succeeded: z.literal(true) }));
    }
  });
};
