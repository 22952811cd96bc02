/**
 * Writes a marker into a server's binary log, and knows it again in what was received of it: one statement about a table that never was, which every server
 * logs as a transaction of its own. It needs no table and no right beyond those of a capture, and leaves nothing behind.
 */
import { createHash } from "node:crypto";
import type { LogMarker, LogOperations, Unmarked } from "../../core/ports/logs.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { EventSplitter, eventType, gtidText, readFormat, readGtid } from "./binlog-events.ts";
import { type BinlogPlace, newestLine, placeAt, positionOf, readFileName } from "./binlog-line.ts";
import { readBinlogSettings, unusable } from "./binlog-source.ts";
import { describeAddress } from "./connection-target.ts";
import type { MariadbContext } from "./mariadb-options.ts";
import { readFileFormat } from "./binlog-walk.ts";
import { type ServerContext, liveAccessOf } from "./server/server-options.ts";
import { errorNumberOf } from "./server-errors.ts";
import { type Row, type SqlAccess, accessOf, numberOf, runSql, textOf } from "./sql-client.ts";
import { inDatabase, momentName } from "./sql-text.ts";

/** What waits longer waits for a lock that lets nobody commit. */
const longestWaitSeconds = 5;

type Written = {
  readonly gtid: string;
  readonly at: string;
  /** Where the log ended before it. */
  readonly file: string;
  readonly offset: number;
};

/** @param database of the address; empty for a whole server */
type MarkerStatement = (table: string, database: string) => string;

const lockTimeout = 1205;
const readOnly = 1290;

const refusal = (error: unknown, { target }: SqlAccess): unknown => {
  const number = errorNumberOf(error);
  const place = describeAddress(target);
  if (number === readOnly)
    return new RefloatError("source.unsupported", `the server at ${place} is read-only, and writes no markers`, {
      cause: error,
      hint: "name the server that is written to in url:; a service that is held by read_only is better held by its application",
    });
  if (number === lockTimeout)
    return new RefloatError(
      "source.under-pressure",
      `the server at ${place} let nothing be written for ${longestWaitSeconds}s`,
      {
        cause: error,
        hint: "hold the service in its application, not by FLUSH TABLES WITH READ LOCK: a marker is a commit too",
      },
    );
  return error;
};

const writeMarker = async (access: SqlAccess, name: string, statement: MarkerStatement): Promise<Written> => {
  const id = createHash("sha256").update(name).digest("hex").slice(0, 16);
  try {
    const [before = [], after = []] = await runSql(
      access,
      `SET SESSION lock_wait_timeout = ${longestWaitSeconds};
       SHOW MASTER STATUS;
       ${statement(momentName(id), access.target.database)};
       SELECT @@last_gtid AS gtid, DATE_FORMAT(SYSDATE(3), '%Y-%m-%dT%H:%i:%s.%f') AS at;`,
    );
    return {
      gtid: textOf(after[0], "gtid"),
      at: `${textOf(after[0], "at").slice(0, -3)}Z`,
      file: textOf(before[0], "File"),
      offset: numberOf(before[0], "Position"),
    };
  } catch (error) {
    throw refusal(error, access);
  }
};

const eventsAtOnce = 500;

/** From the begin to the end of a transaction of one statement, which was written at a place or soon behind it. */
const findWritten = async (
  access: SqlAccess,
  { gtid, file, offset }: Written,
): Promise<{ readonly from: BinlogPlace; readonly to: BinlogPlace }> => {
  const text = `GTID ${gtid}`;
  const isBegin = (row: Row): boolean => textOf(row, "Event_type") === "Gtid" && textOf(row, "Info").endsWith(text);
  let [name, at] = [file, offset];
  for (;;) {
    const [rows = []] = await runSql(access, `SHOW BINLOG EVENTS IN '${name}' FROM ${at} LIMIT ${eventsAtOnce};`);
    const begin = rows.findIndex(isBegin);
    const end = rows[begin + 1];
    const number = readFileName(name)?.number ?? 0;
    if (begin >= 0 && end !== undefined) {
      const place = (row: Row | undefined, column: string) => ({ number, offset: numberOf(row, column) });
      return { from: place(rows[begin], "Pos"), to: place(end, "End_log_pos") };
    }
    const last = rows.at(-1);
    const next = /^(?<file>.+);pos=(?<pos>\d+)$/.exec(
      textOf(last, "Event_type") === "Rotate" ? textOf(last, "Info") : "",
    );
    if (begin >= 0) at = numberOf(rows[begin], "Pos");
    else if (next?.groups !== undefined) [name, at] = [next.groups["file"] ?? "", Number(next.groups["pos"])];
    else if (rows.length === eventsAtOnce) at = numberOf(last, "End_log_pos");
    else
      throw new RefloatError(
        "source.failed",
        `the server does not show ${text} in its binary log behind ${file}:${offset}`,
      );
  }
};

type MarkerRequest = { readonly name: string; readonly lines: readonly string[] };

const placeMarker = async (
  access: SqlAccess,
  { name, lines }: MarkerRequest,
  statement: MarkerStatement,
): Promise<LogMarker | Unmarked> => {
  const settings = await readBinlogSettings(access);
  const reason = unusable(settings)?.reason;
  if (reason !== undefined) return { unmarked: reason };
  const written = await writeMarker(access, name, statement);
  const { from, to } = await findWritten(access, written);
  const { base = "" } = readFileName(written.file) ?? {};
  const line = newestLine(
    lines,
    { serverId: settings.serverId, base },
    ({ firstNumber, firstWhen }) => firstNumber <= from.number && firstWhen * 1000 <= Date.parse(written.at),
  );
  if (line === null) return { unmarked: "the vault holds nothing of its binary log" };
  return {
    line,
    from: positionOf(from),
    position: positionOf(to),
    at: written.at,
    by: "transaction",
    id: written.gtid,
  };
};

/** By a user who has rights in one database. @throws RefloatError source.* */
export const markBinlog = async (context: MariadbContext, request: MarkerRequest): Promise<LogMarker | Unmarked> =>
  placeMarker(
    await accessOf(context, "source"),
    request,
    (table, database) => `DROP TABLE IF EXISTS ${inDatabase(database, table)}`,
  );

/** By a user who has none in any database, and RELOAD, as a backup needs it. @throws RefloatError source.* */
export const markServerBinlog = async (context: ServerContext, request: MarkerRequest): Promise<LogMarker | Unmarked> =>
  placeMarker(
    await liveAccessOf(context, "source"),
    request,
    (table) => `FLUSH TABLES ${inDatabase("refloat", table)}`,
  );

/** A server that was reset gives the same places again, and other transactions in them. */
export const holdsBinlogMarker: NonNullable<LogOperations["holdsMarker"]> = async (
  { line, from, position, id },
  read,
) => {
  if (from === undefined || id === undefined) return true;
  const found = await readFileFormat({ logs: { read }, line, to: position }, placeAt(position).number);
  if (found === null) return false;
  const splitter = new EventSplitter();
  for await (const chunk of read(line, from, position)) {
    const [first] = splitter.push(chunk);
    if (first === undefined) continue;
    return (
      first.kind === "event" && first.type === eventType.gtid && gtidText(readGtid(first, readFormat(found))) === id
    );
  }
  return false;
};
