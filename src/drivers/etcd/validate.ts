/** Holds a restored cluster against the facts of its point: its revision, its keys as of a revision that both have, that it is another cluster. */
import { beginFacts } from "../../core/components/fact-outcomes.ts";
import type { InstanceOperations } from "../../core/ports/driver.ts";
import { locateInstance } from "../../platform/path-instance.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { capturedDetailSchema } from "./captured-detail.ts";
import { type EtcdOptions, dataPathOf } from "./etcd-options.ts";
import { resolveTarget } from "./etcd-target.ts";
import { withEtcd } from "./gateway.ts";
import { instanceTarget } from "./instance-server.ts";
import { countKeys, readMember } from "./server-facts.ts";

export const validateEtcd: InstanceOperations<EtcdOptions>["validate"] = async (context, target, facts) => {
  const outcome = beginFacts(context);
  const captured = capturedDetailSchema.parse(facts.detail);
  const place = await locateInstance(await dataPathOf(context), target);
  const serves = place.presence === "done" && place.serves;
  const server = serves ? await resolveTarget(context) : await instanceTarget(context, target.name);
  const failed = await withEtcd({ target: server, signal: context.signal }, async (gateway) => {
    const member = await readMember(gateway);
    const { keys } = await countKeys(gateway, captured.firstRevision);
    const then = facts.counts["keys"] ?? 0;
    return [
      ...(member.revision >= captured.firstRevision
        ? []
        : [`its revision is ${member.revision}, before ${captured.firstRevision}, which was captured`]),
      ...(keys === then
        ? []
        : [`${countOf(keys, "key")} at revision ${captured.firstRevision}, captured ${then.toLocaleString("en-US")}`]),
      ...(member.clusterId === captured.clusterId
        ? ["it has the id of the cluster that was captured, whose members could take it for one of them"]
        : []),
      ...(member.members.length === 1 ? [] : [`it has ${member.members.length} members`]),
    ];
  });
  if (failed.length > 0) return failed.map((found) => outcome("failed", "cluster", found));
  const { firstRevision } = captured;
  return [
    outcome(
      "passed",
      "revision, keys, identity",
      `${countOf(facts.counts["keys"] ?? 0, "key")} at revision ${firstRevision} as captured, a cluster of its own`,
    ),
  ];
};
