/**
 * A backup whose files somebody else copies: begun and ended by SQL, on a connection that has to live as long (PostgreSQL's documentation, "Making a
 * Base Backup Using the Low Level API"). One that is not ended was never made: the server forgets it with the connection.
 */
import type { PageRules } from "../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Session } from "../../platform/postgres/session.ts";
import type { BackupPosition, BackupTablespace } from "./base-backup.ts";

type BackupEnd = {
  readonly end: BackupPosition;
  /** Texts of the files `backup_label` and `tablespace_map`, without which the copy must not be started. */
  readonly label: string;
  readonly tablespaceMap: string;
};

/** In the words that are sent; `validate --live` shows them. */
export const beginSql = (isFast: boolean): string => `select pg_backup_start('refloat', ${isFast})`;
export const endSql = "select * from pg_backup_stop(false)";

/** @param $1 a name; the slot ends with the session */
export const keepLogSql = "select pg_create_physical_replication_slot($1, true, true)";

type FolderRights = {
  readonly mayBackUp: boolean;
  readonly mayReplicate: boolean;
  readonly runningSince: Date;
  readonly systemIdentifier: string;
  readonly port: number;
};

const rightsSql = `
  select has_function_privilege('pg_backup_start(text, boolean)', 'execute')
         and has_function_privilege('pg_backup_stop(boolean)', 'execute') as "mayBackUp",
         (select rolreplication or rolsuper from pg_roles where rolname = current_user) as "mayReplicate",
         pg_postmaster_start_time() as "runningSince", (select system_identifier::text from pg_control_system()) as "systemIdentifier",
         current_setting('port')::int as port`;

export const readFolderRights = async (session: Session): Promise<FolderRights> =>
  only(await session.query<FolderRights>(rightsSql));

/** @returns bytes of a page, and pages of each file of a relation but the last */
export const readPageSizes = async (session: Session): Promise<Omit<PageRules, "startLsn">> =>
  only(
    await session.query<Omit<PageRules, "startLsn">>(
      `select current_setting('block_size')::int as "pageBytes",
              (select setting::int from pg_settings where name = 'segment_size') as "segmentPages"`,
    ),
  );

const only = <Row>([row]: readonly Row[]): Row => {
  if (row === undefined) throw new RefloatError("bug", "a query without a condition has no row");
  return row;
};

const tablespacesSql = `
  select oid::text as oid, pg_tablespace_location(oid) as location
    from pg_tablespace where spcname not in ('pg_default', 'pg_global') order by oid`;

/** The server has no other way to tell the timeline that it writes. */
const timelineOf = async (session: Session, lsn: string): Promise<number> =>
  only(
    await session.query<{ timeline: number }>(
      "select ('x' || left(pg_walfile_name($1::pg_lsn), 8))::bit(32)::int as timeline",
      [lsn],
    ),
  ).timeline;

/** @returns where it begins: at the last checkpoint by now, of this moment */
export const beginBackup = async (
  session: Session,
  isFast: boolean,
): Promise<{ readonly start: BackupPosition; readonly tablespaces: readonly BackupTablespace[] }> => {
  const { lsn } = only(await session.query<{ lsn: string }>(`${beginSql(isFast)}::text as lsn`));
  const tablespaces = await session.query<BackupTablespace>(tablespacesSql);
  return { start: { lsn, timeline: await timelineOf(session, lsn) }, tablespaces };
};

/** What was read until now makes the backup, with the log up to its end, which is on the disk. */
export const endBackup = async (session: Session): Promise<BackupEnd> => {
  const { lsn, labelfile, spcmapfile } = only(
    await session.query<{ lsn: string; labelfile: string; spcmapfile: string }>(endSql),
  );
  return { end: { lsn, timeline: await timelineOf(session, lsn) }, label: labelfile, tablespaceMap: spcmapfile };
};
