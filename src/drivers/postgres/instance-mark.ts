/**
 * How a restored database says whose it is and whether it is whole: a last line in its comment, which follows it through renames.
 * Between CREATE DATABASE and the comment there is a moment, so creation itself carries a sign: an odd connection limit.
 */
import { createHash } from "node:crypto";
import type { InstanceTarget, Presence } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { PositionMark } from "./position.ts";
import type { Session } from "../../platform/postgres/session.ts";

export type InstanceMark = {
  readonly run: number;
  readonly runUid: string;
  readonly state: "restoring" | "whole";
  /** Which state of which database it was restored from; `none` when the point does not say. */
  readonly origin: string;
  /** Where it stood itself when it was whole: what is written later is not of the point. */
  readonly restored: RestoredPosition | null;
};

/** The part of a position that tells new rows from restored ones; it names the database that it belongs to, since comments are copied. */
export type RestoredPosition = Pick<PositionMark, "floor" | "systemIdentifier" | "databaseOid">;

const markPattern =
  /(?:^|\n)refloat run=(\d+) uid=([\w-]+) state=(restoring|whole) from=([^\s']+)(?: at=(\d+)@([^\s'/]+)\/(\d+))?$/;

const unknownSystem = "unknown";

export const describeOrigin = (mark: Pick<PositionMark, "lsn" | "systemIdentifier" | "databaseOid"> | null): string =>
  mark === null ? "none" : `${mark.lsn}@${mark.systemIdentifier ?? unknownSystem}/${mark.databaseOid}`;

/** @param own the comment that people wrote, kept before ours */
export const formatComment = (mark: InstanceMark, own: string | null): string => {
  const { restored } = mark;
  const at =
    restored === null
      ? ""
      : ` at=${restored.floor}@${restored.systemIdentifier ?? unknownSystem}/${restored.databaseOid}`;
  const line = `refloat run=${mark.run} uid=${mark.runUid} state=${mark.state} from=${mark.origin}${at}`;
  return own === null || own === "" ? line : `${own}\n${line}`;
};

export const parseComment = (
  comment: string | null,
): { readonly mark: InstanceMark | null; readonly own: string | null } => {
  const match = markPattern.exec(comment ?? "");
  if (match === null || comment === null) return { mark: null, own: comment };
  const [line, run, runUid = "", state, origin = "", floor, system, databaseOid = ""] = match;
  const restored =
    floor === undefined || system === undefined
      ? null
      : { floor, systemIdentifier: system === unknownSystem ? null : system, databaseOid };
  const own = comment.slice(0, -line.length);
  return {
    mark: { run: Number(run), runUid, state: state === "whole" ? "whole" : "restoring", origin, restored },
    own: own === "" ? null : own,
  };
};

/** A connection limit that nobody would choose, different for each run, and as good as none. */
export const creationSign = (runUid: string): number =>
  1_000_000_000 + Number.parseInt(createHash("sha256").update(runUid).digest("hex").slice(0, 7), 16);

export type DatabaseState = {
  readonly oid: string;
  readonly open: boolean;
  readonly connectionLimit: number;
  readonly comment: string | null;
};

export const readDatabaseState = async (session: Session, name: string): Promise<DatabaseState | null> => {
  const [row] = await session.query<DatabaseState>(
    `select oid::text as oid, datallowconn as open, datconnlimit as "connectionLimit",
            shobj_description(oid, 'pg_database') as comment
       from pg_database where datname = $1`,
    [name],
  );
  return row ?? null;
};

/** @throws RefloatError instance.exists when the database is not of this run */
export const presenceOf = (state: DatabaseState | null, target: InstanceTarget): Presence => {
  if (state === null) return "absent";
  const { mark } = parseComment(state.comment);
  if (mark === null && state.connectionLimit === creationSign(target.runUid)) return "partial";
  if (mark?.runUid === target.runUid) return mark.state === "whole" ? "done" : "partial";
  throw new RefloatError("instance.exists", `there is a database "${target.name}" that this run did not make`, {
    hint: mark === null ? "rename or drop it by hand" : `run ${mark.run} of another state folder made it`,
    context: { database: target.name },
  });
};
