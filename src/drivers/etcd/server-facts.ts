/** What a member says of itself and its cluster, and how many keys there are as of a revision. */
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Gateway } from "./gateway.ts";

/** The gateway writes 64-bit numbers as text, and leaves out what is zero. */
export const big = z.string().regex(/^\d+$/).default("0");

const headerSchema = z.object({ cluster_id: big, revision: big });

const statusSchema = z.object({
  header: headerSchema,
  version: z.string(),
  dbSize: big,
  leader: big,
  isLearner: z.boolean().default(false),
});

const memberSchema = z.object({
  ID: z.string(),
  name: z.string().default(""),
  peerURLs: z.array(z.string()).default([]),
});

export type Member = { readonly id: string; readonly name: string; readonly peerUrls: readonly string[] };

export type MemberFacts = {
  readonly clusterId: string;
  readonly version: string;
  readonly revision: number;
  readonly sizeBytes: number;
  readonly members: readonly Member[];
};

/** `3.4.23` as one number that can be compared. */
export const seriesOf = (version: string): number => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1_000 + minor;
};

const oldestVersion = "3.4";

export const readMember = async (gateway: Gateway): Promise<MemberFacts> => {
  const status = await gateway.ask("maintenance/status", {}, statusSchema);
  const { members } = await gateway.ask("cluster/member/list", {}, z.object({ members: z.array(memberSchema) }));
  if (seriesOf(status.version) < seriesOf(oldestVersion))
    throw new RefloatError(
      "program.version",
      `the server is etcd ${status.version}; it is captured from ${oldestVersion} on`,
    );
  if (status.isLearner)
    throw new RefloatError("source.unsupported", "the member is a learner, and may be far behind its cluster", {
      hint: "name a voting member in the url",
    });
  if (status.leader === "0")
    throw new RefloatError("source.failed", "the cluster has no leader, so the member may be behind it", {
      hint: "etcdctl endpoint status --cluster shows who is missing",
    });
  return {
    clusterId: status.header.cluster_id,
    version: status.version,
    revision: Number(status.header.revision),
    sizeBytes: Number(status.dbSize),
    members: members.map(({ ID, name, peerURLs }) => ({ id: ID, name, peerUrls: peerURLs })),
  };
};

/** All keys: from the first byte on, without an end. */
const everything = { key: "AA==", range_end: "AA==" };

const countSchema = z.object({ header: headerSchema, count: big });

/** @param revision as of which; now when left out */
export const countKeys = async (
  gateway: Gateway,
  revision = 0,
): Promise<{ readonly keys: number; readonly revision: number }> => {
  const { header, count } = await gateway.ask(
    "kv/range",
    { ...everything, count_only: true, revision: String(revision) },
    countSchema,
  );
  return { keys: Number(count), revision: Number(header.revision) };
};

/** More are not fetched to be counted. */
export const mostCounted = 100_000;

/** Keys that are there and were written after a revision, new ones and those that were there before: at most `mostCounted` of both. */
export const countWritten = async (
  gateway: Gateway,
  since: number,
): Promise<{ readonly added: number; readonly changed: number }> => {
  // `count` is of the whole range: what the limits leave is counted by its entries.
  const ask = async (limits: object): Promise<number> => {
    const { kvs } = await gateway.ask(
      "kv/range",
      { ...everything, keys_only: true, limit: String(mostCounted), ...limits },
      z.object({ kvs: z.array(z.object({})).default([]) }),
    );
    return kvs.length;
  };
  const from = String(since + 1);
  const added = await ask({ min_create_revision: from });
  return { added, changed: (await ask({ min_mod_revision: from })) - added };
};
