/**
 * The server of a restored folder until it is switched: a cluster of its own with one member, on two ports of its own on loopback. It knows no other
 * member, and whoever does know it by its old address is refused, since its cluster has another id.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { ownerOf } from "../../platform/folder-server/folder-owner.ts";
import { startApart } from "../../platform/folder-server/start-apart.ts";
import { lastLines } from "../../platform/shell-line.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { EtcdContext } from "./etcd-options.ts";
import { endEtcd, findEtcdProcess } from "./etcd-process.ts";
import { type EtcdTarget, resolveTarget } from "./etcd-target.ts";
import { withEtcd } from "./gateway.ts";
import { readMember } from "./server-facts.ts";
import { findEtcdPrograms } from "./server-programs.ts";

const names = { record: "refloat-instance.json", log: "refloat-instance.log" } as const;

const recordSchema = z.object({ port: z.int(), peerPort: z.int(), name: z.string() });
export type InstanceRecord = z.infer<typeof recordSchema>;

export const writeInstanceRecord = async (folder: string, record: InstanceRecord): Promise<void> => {
  await writeFile(join(folder, names.record), JSON.stringify(record), { mode: 0o600 });
};

/** Null for a folder that is no instance, or is none any more. */
export const readInstanceRecord = async (folder: string): Promise<InstanceRecord | null> => {
  const path = join(folder, names.record);
  return (await pathExists(path)) ? recordSchema.parse(JSON.parse(await readFile(path, "utf8"))) : null;
};

const requireRecord = async (folder: string): Promise<InstanceRecord> => {
  const record = await readInstanceRecord(folder);
  if (record !== null) return record;
  throw new RefloatError("source.failed", `${folder} is no restored server that stands beside the live one`);
};

/** How Refloat, and dependents, reach it: its users and their passwords are those of the point. */
export const instanceTarget = async (context: EtcdContext, folder: string): Promise<EtcdTarget> => {
  const { port } = await requireRecord(folder);
  return { ...(await resolveTarget(context)), host: "127.0.0.1", port, tls: null };
};

/** Why the server takes no work yet: its cluster has no leader, or it does not answer. Null when it does, and the user is let in. */
const whyNotReady = async (context: EtcdContext, target: EtcdTarget): Promise<RefloatError | null> => {
  try {
    await withEtcd({ target, signal: context.signal }, readMember);
    return null;
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RefloatError && ["source.unreachable", "source.failed"].includes(error.code)) return error;
    throw error;
  }
};

/** Does the server take work? */
export const isReady = async (context: EtcdContext, target: EtcdTarget): Promise<boolean> =>
  (await whyNotReady(context, target)) === null;

/** The folder is where it works, so that it may get another name meanwhile. */
const wordsFor = ({ port, peerPort, name }: InstanceRecord): readonly string[] => {
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  return [
    "--data-dir",
    ".",
    "--name",
    name,
    "--listen-client-urls",
    client,
    "--advertise-client-urls",
    client,
    "--listen-peer-urls",
    peer,
    "--enable-grpc-gateway",
  ];
};

const lookAgainMs = 20;
const linesShown = 4;

/** @param reason of one that runs and takes no work */
const doesNotStart = async (folder: string, reason: RefloatError | null): Promise<RefloatError> => {
  const log = await readFile(join(folder, names.log), "utf8").catch(() => "");
  const why = reason === null ? lastLines(log, linesShown) : `it runs, and ${reason.message}`;
  return new RefloatError("target.failed", `the server in ${folder} does not start: ${why}`, {
    ...(reason === null ? {} : { cause: reason }),
    hint: `what it says stands in ${join(folder, names.log)}`,
  });
};

/** How long one that was just started may take to open its database. */
const openMs = 30_000;
/** How long one that has opened it may take to let anybody in: it reads all of it first, and chooses itself for a leader. */
const readyMs = 600_000;

/** Starts it, or finds it running, and waits until it takes work. @throws RefloatError target.failed, program.missing */
export const startInstance = async (context: EtcdContext, folder: string): Promise<void> => {
  const record = await requireRecord(folder);
  const target = await instanceTarget(context, folder);
  let seen = (await findEtcdProcess(folder)) !== null;
  if (!seen) {
    const { server } = await findEtcdPrograms(context);
    const owner = await ownerOf(folder, context.signal);
    const words = [server, ...wordsFor(record)];
    await startApart(context, owner, { folder, log: names.log, words });
  }
  const beganMs = context.clock.monotonicMs();
  for (;;) {
    const runs = (await findEtcdProcess(folder)) !== null;
    const reason = runs ? await whyNotReady(context, target) : null;
    if (runs && reason === null) return;
    const isLate = context.clock.monotonicMs() - beganMs > (runs ? readyMs : openMs);
    if (isLate || (!runs && seen)) throw await doesNotStart(folder, reason);
    seen ||= runs;
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

/** Ends the server of an instance; at the stable place its own options count again. @throws RefloatError fence.failed */
export const quietInstance = async (context: EtcdContext, folder: string): Promise<void> => {
  if ((await readInstanceRecord(folder)) !== null) await endEtcd(context, folder, "SIGTERM");
  for (const name of Object.values(names)) await rm(join(folder, name), { force: true });
};
