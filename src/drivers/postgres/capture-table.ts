/** One table's rows into the vault, in the snapshot, exactly as pg_dump would have written them. */
import type { CaptureSink, StreamReceipt, VaultProgress } from "../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type TocEntry, rowsFileName } from "./archive-toc.ts";
import { archiveTrailer } from "./copy-streams.ts";
import { copyOut } from "../../platform/postgres/copy-out.ts";
import type { Relation } from "./relations.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import type { Session } from "../../platform/postgres/session.ts";

export type TableTask = { readonly entry: TocEntry; readonly relation: Relation };

const copyPattern = /^COPY (?<target>.+) FROM stdin;\s*$/s;

/**
 * The statement that reads what the archive's own COPY will write. An extension's configuration table gives only the rows that
 * are the user's, which the archive does not say.
 */
export const readStatement = (
  copyStatement: string,
  relation: Pick<Relation, "qualified" | "extensionCondition">,
): string => {
  const target = copyPattern.exec(copyStatement)?.groups?.["target"];
  const notUnderstood = (): RefloatError =>
    new RefloatError("program.failed", `pg_dump's statement is not understood: ${copyStatement.trim()}`);
  if (target === undefined) throw notUnderstood();
  const condition = relation.extensionCondition ?? "";
  if (condition === "") return `COPY ${target} TO stdout`;
  if (!target.startsWith(`${relation.qualified} `)) throw notUnderstood();
  const columns = target.slice(relation.qualified.length).trim();
  return `COPY (SELECT ${columns === "" ? "*" : columns.slice(1, -1)} FROM ${relation.qualified} ${condition}) TO stdout`;
};

const lockNotAvailable = "55P03";

/**
 * The holder of the snapshot has the lock already, so NOWAIT is refused only while somebody queues for an exclusive lock behind it.
 * Waiting in that queue would be a deadlock: it waits for the holder, who waits for us.
 */
const lockTable = async (session: Session, relation: Relation, retry: () => Promise<void>): Promise<void> => {
  for (;;) {
    try {
      await session.query("savepoint lock");
      await session.query(`lock table only ${relation.qualified} in access share mode nowait`);
      await session.query("release savepoint lock");
      return;
    } catch (error) {
      if (sqlStateOf(error) !== lockNotAvailable) throw error;
      await session.query("rollback to savepoint lock");
      await retry();
    }
  }
};

export const captureTable = async (
  session: Session,
  task: TableTask,
  destination: {
    readonly sink: CaptureSink;
    readonly root: string;
    readonly signal: AbortSignal;
    readonly progress: VaultProgress;
    /** Waits a little; throws when the capture has given up meanwhile. */
    readonly retry: () => Promise<void>;
  },
): Promise<StreamReceipt> => {
  await lockTable(session, task.relation, destination.retry);
  const sql = readStatement(task.entry.copyStatement, task.relation);
  return destination.sink.stream(
    `${destination.root}/${rowsFileName(task.entry)}`,
    copyOut(session, sql, archiveTrailer),
    destination.signal,
    destination.progress,
  );
};
