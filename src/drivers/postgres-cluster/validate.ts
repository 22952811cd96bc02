/** Holds a restored cluster against the facts of its point: identity, databases, that each lets itself be asked, and that it has taken over. */
import { beginFacts } from "../../core/components/fact-outcomes.ts";
import type { InstanceOperations } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { locateInstance } from "../../platform/path-instance.ts";
import { withSession } from "../../platform/postgres/session.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { type CapturedDetail, capturedDetailSchema } from "./cluster-facts.ts";
import { type ClusterOptions, dataPathOf } from "./cluster-options.ts";
import { placeOf, withCluster } from "./locations.ts";
import { bytesBefore, comparePositions } from "../../core/logs/log-position.ts";
import { timelineSql } from "./position.ts";

type ServerRow = {
  readonly id: string;
  readonly recovering: boolean;
  readonly lsn: string | null;
  readonly timeline: number | null;
  readonly checksums: boolean;
};

const serverSql = `
  select (select system_identifier::text from pg_control_system()) as id, pg_is_in_recovery() as recovering,
         case when not pg_is_in_recovery() then pg_current_wal_lsn()::text end as lsn,
         case when not pg_is_in_recovery() then ${timelineSql} end as timeline,
         current_setting('data_checksums')::bool as checksums`;

/** Reads what a server needs to know of every table before it can read one. */
const catalogSql = `
  select count(*)::int as relations, count(a.attnum)::int as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_attribute a on a.attrelid = c.oid`;

/**
 * The received log may end within a record, which is not replayed; whether there was no whole one left is seen to when it is replayed. More than a
 * segment is no record.
 */
const isFarBefore = (lsn: string, wanted: string, { walSegmentBytes }: CapturedDetail): boolean =>
  bytesBefore(wanted) - bytesBefore(lsn) > BigInt(walSegmentBytes);

const differences = (
  captured: CapturedDetail,
  found: ServerRow,
  names: readonly string[],
  replayedTo: string | null,
): readonly string[] => {
  const missing = captured.databases.map(({ name }) => name).filter((name) => !names.includes(name));
  const more = names.filter((name) => !captured.databases.some((one) => one.name === name));
  return [
    ...(found.id === captured.systemIdentifier
      ? []
      : [`system identifier ${found.id}, captured ${captured.systemIdentifier}`]),
    ...(found.recovering ? ["it is still recovering, and takes no writes"] : []),
    ...(found.lsn !== null && comparePositions(found.lsn, captured.endLsn) < 0
      ? [`its log ends at ${found.lsn}, before ${captured.endLsn}, where the point is consistent`]
      : []),
    ...(found.timeline !== null && found.timeline <= captured.timeline
      ? [`it is on timeline ${found.timeline}, which is not its own: it was captured on ${captured.timeline}`]
      : []),
    ...(found.checksums === captured.dataChecksums ? [] : [`data checksums are ${found.checksums ? "on" : "off"}`]),
    ...(replayedTo !== null && found.lsn !== null && isFarBefore(found.lsn, replayedTo, captured)
      ? [`its log ends at ${found.lsn}, before ${replayedTo}, to where it was to be replayed`]
      : []),
    ...(missing.length === 0 || replayedTo !== null ? [] : [`databases are missing: ${missing.join(", ")}`]),
    ...(more.length === 0 || replayedTo !== null ? [] : [`databases that were not captured: ${more.join(", ")}`]),
  ];
};

export const validateCluster: InstanceOperations<ClusterOptions>["validate"] = async (
  context,
  target,
  facts,
  replay,
) => {
  const outcome = beginFacts(context);
  const captured = capturedDetailSchema.parse(facts.detail);
  const located = await locateInstance(await dataPathOf(context), target);
  const place = await placeOf(context, located.presence === "done" && located.serves ? null : target.name);
  if (place.kind === "stopped") return [outcome("failed", "server", `nothing serves ${place.folder}`)];
  return withCluster(context, place.target, "target", async (session, asked) => {
    const [row] = await session.query<ServerRow>(serverSql);
    const names = (await session.query<{ name: string }>("select datname as name from pg_database")).map(
      ({ name }) => name,
    );
    if (row === undefined) throw new RefloatError("bug", "a query without a condition has no row");
    const replayedTo = replay?.to ?? null;
    const failed = differences(captured, row, names, replayedTo).map((found) => outcome("failed", "cluster", found));
    for (const { name, allowsConnections } of captured.databases) {
      if (!allowsConnections || !names.includes(name)) continue;
      try {
        await withSession({ ...asked, database: name }, (other) => other.query(catalogSql));
      } catch (error) {
        context.signal.throwIfAborted();
        if (!(error instanceof RefloatError)) throw error;
        failed.push(outcome("failed", `database ${name}`, error.message));
      }
    }
    if (failed.length > 0) return failed;
    const as = replayedTo === null ? "as captured" : `as of ${replayedTo} (which of them there are is not compared)`;
    const said = `${countOf(names.length, "database")} ${as}, out of recovery, each answers`;
    return [outcome("passed", "identity, databases, catalogs", said)];
  });
};
