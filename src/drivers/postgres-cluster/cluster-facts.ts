/** What is known of a cluster when it is captured: asked of its server, and found in its folder where that can be read. */
import { access, constants } from "node:fs/promises";
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Session } from "../../platform/postgres/session.ts";
import { type ClusterContext, dataPathOf } from "./cluster-options.ts";
import { readStartOptions } from "./postmaster.ts";
import { ownerOf } from "../../platform/folder-server/folder-owner.ts";

/** Streamed base backups with one stream and archives in it came with 15. */
const oldestMajor = 15;

const databaseSchema = z.object({
  name: z.string(),
  oid: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** `c` of the C library, `i` of ICU. */
  provider: z.string(),
  collationVersion: z.string().nullable(),
  allowsConnections: z.boolean(),
});

export const capturedDetailSchema = z.object({
  systemIdentifier: z.string(),
  timeline: z.int(),
  startLsn: z.string(),
  /** The point is the cluster as of this position. */
  endLsn: z.string(),
  major: z.int(),
  dataChecksums: z.boolean(),
  walSegmentBytes: z.int(),
  databases: z.array(databaseSchema),
  tablespaces: z.array(z.object({ oid: z.string(), location: z.string() })),
  /** Null where the role may not read it. */
  preloadedLibraries: z.string().nullable(),
  /** Null when the folder is not on the machine that captured, or could not be looked at. */
  owner: z.object({ user: z.string(), uid: z.int(), gid: z.int() }).nullable(),
  startOptions: z.object({ options: z.string(), log: z.string() }).nullable(),
});
export type CapturedDetail = z.infer<typeof capturedDetailSchema>;

export type ServerFacts = Pick<
  CapturedDetail,
  "major" | "dataChecksums" | "walSegmentBytes" | "databases" | "preloadedLibraries"
> & {
  readonly version: string;
  readonly standby: boolean;
  readonly preparedTransactions: number;
  readonly subscriptions: number;
};

type ServerRow = Omit<ServerFacts, "databases">;

const serverSql = `
  select split_part(current_setting('server_version'), ' ', 1) as version,
         current_setting('server_version_num')::int / 10000 as major,
         pg_is_in_recovery() as standby,
         current_setting('data_checksums')::bool as "dataChecksums",
         pg_size_bytes(current_setting('wal_segment_size'))::int as "walSegmentBytes",
         case when pg_has_role(current_user, 'pg_read_all_settings', 'member') then current_setting('shared_preload_libraries') end as "preloadedLibraries",
         (select count(*)::int from pg_prepared_xacts) as "preparedTransactions",
         (select count(subname)::int from pg_subscription where subenabled) as subscriptions`;

const databasesSql = `
  select datname as name, oid::text as oid, pg_encoding_to_char(encoding) as encoding, datcollate as collate, datctype as ctype,
         datlocprovider::text as provider, datcollversion as "collationVersion", datallowconn as "allowsConnections"
    from pg_database order by datname`;

/** @throws RefloatError program.version, source.unsupported for a standby */
export const readServerFacts = async (session: Session, component: string): Promise<ServerFacts> => {
  const [version] = await session.query<{ version: string; major: number }>(
    "select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major",
  );
  if ((version?.major ?? 0) < oldestMajor)
    throw new RefloatError(
      "program.version",
      `the server is PostgreSQL ${version?.version}; a cluster is captured from ${oldestMajor} on`,
      { hint: "declare its databases one by one, as components of type postgres" },
    );
  const [row] = await session.query<ServerRow>(serverSql);
  if (row === undefined) throw new RefloatError("bug", "a query without a condition has no row");
  if (row.standby)
    throw new RefloatError("source.unsupported", `the server of ${component} is a standby`, {
      hint: "name the primary in the url; a capture from a standby is not supported",
    });
  const databases = await session.query<CapturedDetail["databases"][number]>(databasesSql);
  return { ...row, databases: [...databases] };
};

/** What the folder tells, where it is on this machine and may be looked at. */
export const readFolderFacts = async (
  context: ClusterContext,
): Promise<Pick<CapturedDetail, "owner" | "startOptions">> => {
  const folder = await dataPathOf(context);
  const isThere = await access(folder, constants.R_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isThere) return { owner: null, startOptions: null };
  return { owner: await ownerOf(folder, context.signal), startOptions: await readStartOptions(folder) };
};
