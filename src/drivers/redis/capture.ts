/** Capture of a server: its replication stream straight into the vault, held against its own checksum, its keys counted as they pass. */
import type { ComponentDriver } from "../../core/ports/driver.ts";
import type { Facts } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { ownerIfThere } from "../../platform/folder-server/folder-owner.ts";
import { type CapturedDetail, type PositionMark, dataName, rdbName } from "./captured-detail.ts";
import { resolveTarget } from "./connection-target.ts";
import type { RdbFindings } from "./rdb-scan.ts";
import { type RedisOptions, dataPathOf } from "./redis-options.ts";
import { withRedis } from "./redis-session.ts";
import { openReplicationStream } from "./replication-stream.ts";
import { type Standing, readStanding } from "./standing-users.ts";
import { type ServerFacts, numberIn, readServerFacts, startOf } from "./server-facts.ts";

const keysOf = ({ counts }: RdbFindings): Readonly<Record<string, number>> | null =>
  counts === null ? null : Object.fromEntries(Object.entries(counts).map(([name, { keys }]) => [name, keys]));

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

const warningsOf = (server: ServerFacts, findings: RdbFindings, standing: Standing): readonly string[] => [
  ...(standing.kind === "gone" ? [`${standing.found} (${standing.advice})`] : []),
  ...(findings.unknown === null
    ? []
    : [
        `keys are not counted, since ${findings.unknown} is not known here; a restore is compared by what the server loads`,
      ]),
  ...(findings.hasChecksum
    ? []
    : ["the server makes no checksum (rdbchecksum no): that the data came whole is told by their form alone"]),
  ...(server.modules.length === 0
    ? []
    : [
        `a recovery needs the modules ${server.modules.map(({ name, version }) => `${name} ${version}`).join(", ")}, if they have put data in; a restored server is started without them`,
      ]),
];

/** What the server wrote into the stream about itself is of the moment of the stream. */
const markOf = (server: ServerFacts, findings: RdbFindings): PositionMark => {
  const { "repl-id": replicationId, "repl-offset": offset } = findings.notes;
  return {
    runId: server.info.get("run_id") ?? null,
    replicationId: replicationId ?? null,
    offset: offset === undefined ? null : Number(offset),
    keys: keysOf(findings),
    savedAt: numberIn(server.info, "rdb_last_save_time"),
    changes: null,
    continues: null,
  };
};

const factsOf = (
  server: ServerFacts,
  findings: RdbFindings,
  more: { readonly owner: CapturedDetail["owner"]; readonly takenAt: string },
): Facts => {
  const { counts } = findings;
  const databases = Object.entries(counts ?? {});
  const expiring = Object.fromEntries(databases.map(([name, count]) => [name, count.expiring]));
  const detail: CapturedDetail = {
    format: findings.version,
    settings: server.settings,
    modules: [...server.modules],
    functions: findings.functions,
    expiring: counts === null ? null : expiring,
    usedMemoryBytes: numberIn(server.info, "used_memory"),
    owner: more.owner,
    start: startOf(server.info),
  };
  return {
    sizeBytes: findings.sizeBytes,
    counts: {
      ...(counts === null ? {} : { keys: sumOf(databases.map(([, { keys }]) => keys)) }),
      ...(counts === null ? {} : { expiring: sumOf(Object.values(expiring)) }),
      databases: databases.length,
      functions: findings.functions,
    },
    units: Object.fromEntries(databases.map(([name, { keys }]) => [name, { rows: keys }])),
    position: { takenAt: more.takenAt, mark: toJsonObject(markOf(server, findings)) },
    versions: { server: server.version },
    detail: toJsonObject(detail),
  };
};

export const captureRedis: ComponentDriver<RedisOptions>["capture"] = async (context, sink, previous, pinned) => {
  const { clock, signal } = context;
  const target = await resolveTarget(context);
  const owner = await ownerIfThere(await dataPathOf(context), signal);
  const { server, standing } = await withRedis({ target, signal }, async (session) => ({
    server: await readServerFacts(session, context.component),
    standing: await readStanding(context, session, target),
  }));
  const root = `/${context.component}`;
  const total = previous?.facts.sizeBytes;
  const progress = accumulateProgress(context.progress, {
    unit: "files",
    ...(total === undefined ? {} : { bytesTotal: total }),
  });
  const beginAt = clock.now().toISOString();
  let endAt = beginAt;
  const stream = openReplicationStream({
    target,
    signal,
    // The server has forked before it answers.
    began: () => {
      endAt = clock.now().toISOString();
      pinned?.();
    },
  });
  try {
    await sink.stream(`${root}/${dataName}/${rdbName}`, stream, signal, progress);
  } finally {
    stream.close();
  }
  const findings = stream.findings();
  return {
    path: root,
    facts: factsOf(server, findings, { owner, takenAt: endAt }),
    window: { beginAt, endAt },
    consistency: "snapshot",
    warnings: [...warningsOf(server, findings, standing)],
  };
};
