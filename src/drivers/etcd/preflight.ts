/** What `validate --live` says of a cluster: can it be captured, restored beside and switched, with which rights. */
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { portFinding } from "../../platform/folder-server/instance-port.ts";
import { type Finding, failure, finding, mountFindings } from "../../platform/postgres/preflight-finding.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { dataName, snapshotName } from "./captured-detail.ts";
import { type EtcdContext, dataPathOf } from "./etcd-options.ts";
import { databaseOf, findEtcdProcess } from "./etcd-process.ts";
import { describeAddress, resolveTarget } from "./etcd-target.ts";
import { type Gateway, withEtcd } from "./gateway.ts";
import { refuseCompany } from "./live-server.ts";
import { restoreArguments } from "./restore.ts";
import { type MemberFacts, countKeys, readMember } from "./server-facts.ts";
import { requireReadable } from "./server-programs.ts";

const folderFindings = async (stable: string): Promise<readonly Finding[]> => {
  const isThere = await access(databaseOf(stable), constants.F_OK).then(
    () => true,
    () => false,
  );
  const runs = (await findEtcdProcess(stable)) !== null;
  const beside = dirname(stable);
  const refused = await access(beside, constants.W_OK | constants.X_OK).then(() => null, describeSystemError);
  return [
    finding(
      isThere && runs,
      stable,
      isThere
        ? runs
          ? "is the data folder of a server that runs here"
          : "no server that is seen here has its database open"
        : "holds no database of etcd",
      "correct data:, and look as root: other users' processes are seen by nobody else",
    ),
    finding(
      refused === null,
      beside,
      refused === null ? "a restored folder can be put here" : `nothing can be restored here: ${refused}`,
    ),
    ...(await mountFindings(stable)),
  ];
};

/**
 * A new cluster of all of them out of one snapshot, by hand (etcd's own words: "Restoring a cluster"): one id for all by one new token, and
 * nothing of the old history left in any.
 */
const commandsForSeveral = (stable: string, { members }: MemberFacts, restorer: string): readonly string[] => {
  const cluster = members.map(({ name, peerUrls }) => ({ name, peerUrls: [...peerUrls] }));
  const restore = cluster.map((member) => {
    const words = restoreArguments(snapshotName, `${stable}.new`, { member, cluster }, "refloat-DATE");
    return `${["ETCDCTL_API=3", restorer].join(" ")} ${words.map(shellWord).join(" ")}  # for ${member.name}`;
  });
  return [
    `refloat extract POINT:COMPONENT:${dataName}/${snapshotName} --to ${snapshotName}  # give it to the machine of each member`,
    ...restore,
    "stop all members, and see that none runs",
    `mv ${shellWord(stable)} ${shellWord(`${stable}.old`)} && mv ${shellWord(`${stable}.new`)} ${shellWord(stable)}  # at each, owned as before`,
    "start all members with their usual lines",
  ];
};

const recoveryCommandsFor = (context: EtcdContext, stable: string, member: MemberFacts, restorer: string) => {
  if (member.members.length > 1) return commandsForSeveral(stable, member, restorer);
  const [first] = member.members;
  const restored = { member: { name: first?.name ?? "NAME", peerUrls: [...(first?.peerUrls ?? ["URL"])] } };
  return [
    [restorer, ...restoreArguments("snapshot.db", `${stable}.rN`, restored, "refloat-RUN")].map(shellWord).join(" "),
    `etcd --data-dir . --listen-client-urls http://127.0.0.1:PORT  -- in ${stable}.rN, on ports of ${context.options.ports}`,
    context.options.stop,
    `renameat2 ${stable} ${stable}.oldN  -- exchanges the two names`,
    context.options.start,
  ];
};

const askServer = async (context: EtcdContext, gateway: Gateway, address: string): Promise<PreflightReport> => {
  const stable = await dataPathOf(context);
  const findings: Finding[] = [];
  const ask = async (subject: string, look: () => Promise<readonly Finding[]>): Promise<void> => {
    try {
      findings.push(...(await look()));
    } catch (error) {
      context.signal.throwIfAborted();
      findings.push(failure(subject, error));
    }
  };
  const member = await readMember(gateway);
  const { keys, revision } = await countKeys(gateway);
  findings.push(
    finding(true, address, `etcd ${member.version}, ${formatAmount(keys, "keys")} at revision ${revision}`),
  );
  let restorer = "etcdutl";
  await ask("programs", async () => {
    const programs = await requireReadable(context, member.version);
    restorer = programs.restorer;
    return [finding(true, "programs", `${programs.server} ${programs.version}, ${programs.restorer}`)];
  });
  await ask(stable, () => folderFindings(stable));
  await ask("members", async () => {
    await refuseCompany(context, stable);
    return [
      finding(true, "members", member.members.length === 1 ? "one: it can be switched" : `${member.members.length}`),
    ];
  });
  findings.push(portFinding(context, "member", 2));
  return {
    findings,
    commands: ["POST /v3/maintenance/status, /v3/cluster/member/list, /v3/kv/range", "POST /v3/maintenance/snapshot"],
    recoveryCommands: recoveryCommandsFor(context, stable, member, restorer),
    grants: ["etcdctl user grant-role NAME root  # etcd sends its snapshot to that role alone"],
  };
};

export const preflightEtcd = async (context: EtcdContext): Promise<PreflightReport> => {
  const target = await resolveTarget(context);
  const { signal } = context;
  const address = describeAddress(target);
  try {
    return await withEtcd({ target, signal }, (gateway) => askServer(context, gateway, address));
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return { findings: [failure(address, error)], commands: [], recoveryCommands: [], grants: [] };
  }
};
