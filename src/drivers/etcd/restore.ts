/**
 * Restores a cluster beside the live one: etcd's own program makes a data folder of the snapshot, which it holds against its hash, with a new cluster
 * and member id; then a server of its own starts on it. The name is given last.
 */
import { chmod, lstat, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { InstanceOperations, InstanceTarget } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { futureOwner, giveTree } from "../../platform/folder-server/folder-owner.ts";
import { chooseInstancePorts } from "../../platform/folder-server/instance-port.ts";
import { restoreInstance } from "../../platform/path-instance.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { type CapturedDetail, capturedDetailSchema, dataName, snapshotName } from "./captured-detail.ts";
import { type EtcdContext, type EtcdOptions, dataPathOf } from "./etcd-options.ts";
import { startInstance, writeInstanceRecord } from "./instance-server.ts";
import { requireReadable } from "./server-programs.ts";

const builtName = "refloat-built";

type NamedMember = CapturedDetail["member"];

/**
 * What a member with other words would not start with later: its name and addresses are those that it was captured with.
 * @param cluster all members of the new cluster; itself alone when left out
 */
export const restoreArguments = (
  snapshot: string,
  folder: string,
  { member, cluster = [member] }: { readonly member: NamedMember; readonly cluster?: readonly NamedMember[] },
  token: string,
): readonly string[] => [
  "snapshot",
  "restore",
  snapshot,
  "--data-dir",
  folder,
  "--name",
  member.name,
  "--initial-cluster",
  cluster.flatMap(({ name, peerUrls }) => peerUrls.map((url) => `${name}=${url}`)).join(","),
  "--initial-advertise-peer-urls",
  member.peerUrls.join(","),
  "--initial-cluster-token",
  token,
];

const build = async (
  context: EtcdContext,
  folder: string,
  detail: CapturedDetail,
  { restorer, target }: { readonly restorer: string; readonly target: InstanceTarget },
): Promise<void> => {
  const [snapshot, built] = [join(folder, snapshotName), join(folder, builtName)];
  try {
    // The cluster's id is made of its members' addresses and this word: no two restores are the same cluster.
    await runProgram(restorer, restoreArguments(snapshot, built, detail, `refloat-${target.runUid}-${target.run}`), {
      signal: context.signal,
      environment: { ETCDCTL_API: "3" },
      marker: context.marker,
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    const isDamaged = /sha256|hash/.test(error.message);
    throw new RefloatError(
      isDamaged ? "point.damaged" : "target.failed",
      `no data folder can be made of the snapshot: ${error.message}`,
      { cause: error },
    );
  }
  await rename(join(built, "member"), join(folder, "member"));
  await rm(built, { recursive: true });
  await rm(snapshot);
};

export const restoreEtcd: InstanceOperations<EtcdOptions>["restore"] = async (context, target, source, captured) => {
  const { signal } = context;
  signal.throwIfAborted();
  const stable = await dataPathOf(context);
  const { facts } = captured;
  const detail = capturedDetailSchema.parse(facts.detail);
  const { restorer } = await requireReadable(context, facts.versions["server"] ?? "unknown");
  const [port = 0, peerPort = 0] = chooseInstancePorts(context, 2);
  const progress = accumulateProgress(context.progress, { unit: "files", bytesTotal: facts.sizeBytes, itemsTotal: 1 });
  const finish = async (folder: string): Promise<void> => {
    const found = await lstat(join(folder, snapshotName)).catch(() => null);
    if (found?.size !== facts.sizeBytes)
      throw new RefloatError("point.damaged", `${snapshotName} of the point is missing, or not as long as it was`);
    await build(context, folder, detail, { restorer, target });
    const owner = await futureOwner(context, {
      stable,
      user: detail.owner?.user ?? "etcd",
      hint: "the server is to run as that user",
      nextCommand: "apt-get install etcd-server",
    });
    await writeInstanceRecord(folder, { port, peerPort, name: detail.member.name });
    await chmod(folder, 0o700);
    await giveTree(folder, owner, signal);
    await startInstance(context, folder);
  };
  return translateSystemErrors("target.failed", `${target.name} cannot be restored`, async () => {
    const report = await restoreInstance({
      target,
      source,
      captured: { ...captured, path: `${captured.path}/${dataName}` },
      label: basename(stable),
      signal,
      progress,
      finish,
    });
    return {
      sizeBytes: facts.sizeBytes,
      summary: `${countOf(facts.counts["keys"] ?? 0, "key")} into ${basename(target.name)} in ${dirname(target.name)}, a new cluster of one member on port ${port}`,
      warnings: report.warnings,
    };
  });
};
