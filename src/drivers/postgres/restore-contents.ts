/**
 * Rows, keys, indexes, large objects and sequence values of an instance, on several connections at once. Definitions are there
 * already; what depends on all rows comes later.
 */
import type { SnapshotReader } from "../../core/ports/vault-snapshots.ts";
import type { Facts } from "../../model/facts.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { rowsFileName, type TocEntry } from "./archive-toc.ts";
import { largeObjectsUnit } from "./captured-detail.ts";
import type { ConnectionTarget } from "../../platform/postgres/connection-target.ts";
import { copyDataIn } from "./copy-streams.ts";
import { hasIndexFor } from "./foreign-key-join.ts";
import { prepareLoadSession } from "./load-settings.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { type BlobFile, parseBlobList, restoreBlobs } from "./restore-blobs.ts";
import type { ForeignKey, RestorePlan, TableLoad } from "./restore-plan.ts";
import { loadTasks, type TaskActs } from "./restore-tasks.ts";
import { type Session, inTransaction, openSession } from "../../platform/postgres/session.ts";
import { type Task, workThrough } from "./work-queue.ts";

export type ContentsParts = {
  readonly context: PostgresContext;
  /** Of the instance. */
  readonly target: ConnectionTarget;
  readonly source: SnapshotReader;
  readonly root: string;
  readonly facts: Facts;
  /** Dump id of an entry of rows to the name of its fact. */
  readonly labels: Readonly<Record<string, string>>;
  readonly plan: RestorePlan;
  readonly encoding: string;
  readonly knownTablespaces: ReadonlySet<string>;
  readonly jobs: number;
  /** From load-settings.ts. */
  readonly settings: Readonly<Record<string, string>>;
};

/** Below this a TRUNCATE costs more than it saves. */
const worthFreezingBytes = 256 * 1024;
const blobsPerBatch = 100;

/**
 * In one transaction with TRUNCATE, COPY may freeze the rows (no second write of the table later), and needs no log at all where
 * wal_level is minimal. The rows are compared with the point before anything is kept.
 */
const loadTable = async (
  session: Session,
  load: TableLoad,
  parts: ContentsParts,
  onBytes: (bytes: number) => void,
): Promise<void> => {
  const { source, root, facts, labels, context } = parts;
  const label = labels[String(load.entry.dumpId)];
  const expected = label === undefined ? undefined : facts.units[label];
  if (expected?.rows === undefined) {
    throw new RefloatError("point.damaged", `the point has rows of ${load.table} but no fact to hold them against`);
  }
  const freeze = load.ownTable && (expected.sizeBytes ?? 0) >= worthFreezingBytes;
  const path = `${root}/${rowsFileName(load.entry)}`;
  const copy = load.entry.copyStatement.trim().replace(/;$/, freeze ? " WITH (FREEZE)" : "");
  await inTransaction(session, "", async () => {
    if (freeze) await session.query(`truncate only ${load.table}`);
    const rows = await copyDataIn(session, copy, source.stream(path, undefined, { transient: true }), {
      path,
      signal: context.signal,
      onBytes,
    });
    if (rows !== expected.rows) {
      throw new RefloatError(
        "target.failed",
        `${load.table} took ${rows.toLocaleString("en")} rows, the point has ${(expected.rows ?? 0).toLocaleString("en")}`,
        { state: "none of them was kept" },
      );
    }
  });
};

const runDefinition = async (
  session: Session,
  entry: TocEntry,
  knownTablespaces: ReadonlySet<string>,
): Promise<void> => {
  const tablespace = knownTablespaces.has(entry.tablespace) ? entry.tablespace : "";
  await session.query("select set_config('default_tablespace', $1, false)", [tablespace]);
  await session.query(entry.definition);
};

const addForeignKey = async (
  session: Session,
  key: ForeignKey,
  knownTablespaces: ReadonlySet<string>,
): Promise<void> => {
  const byIndex = await hasIndexFor(session, key);
  await session.query(`set enable_hashjoin = ${byIndex ? "off" : "on"}`);
  await runDefinition(session, key.entry, knownTablespaces);
};

const sequenceTask = (entries: readonly TocEntry[]): Task<Session> => ({
  id: "sequences",
  cost: 0,
  run: async (session) => {
    if (entries.length > 0) await session.query(entries.map(({ definition }) => definition).join("\n"));
  },
});

const blobTasks = async (
  parts: ContentsParts,
  report: (bytes: number, items: number) => void,
): Promise<Task<Session>[]> => {
  const blobs: BlobFile[] = [];
  for (const list of parts.plan.blobLists) {
    blobs.push(...parseBlobList(list, await parts.source.read(`${parts.root}/${list}`)));
  }
  const expected = parts.facts.units[largeObjectsUnit]?.rows ?? 0;
  if (blobs.length !== expected) {
    throw new RefloatError(
      "point.damaged",
      `${parts.plan.blobLists.join(", ") || "the archive"} names ${blobs.length} large objects, the point has ${expected}`,
    );
  }
  const tasks: Task<Session>[] = [];
  for (let at = 0; at < blobs.length; at += blobsPerBatch) {
    const batch = blobs.slice(at, at + blobsPerBatch);
    tasks.push({
      id: `blobs ${at}`,
      cost: 0,
      run: (session) => restoreBlobs(session, batch, parts.source, parts.root, (bytes) => report(bytes, 0)),
    });
  }
  return tasks;
};

/** @throws RefloatError target.*, vault.damaged, point.damaged */
export const restoreContents = async (parts: ContentsParts): Promise<void> => {
  const { context, plan, facts, target } = parts;
  const done = { bytes: 0, items: 0 };
  const report = (bytes: number, items: number): void => {
    done.bytes += bytes;
    done.items += items;
    context.progress({
      bytesDone: Math.min(done.bytes, facts.sizeBytes),
      bytesTotal: facts.sizeBytes,
      itemsDone: done.items,
      itemsTotal: plan.tables.length,
      unit: "tables",
    });
  };
  const labelOf = (load: TableLoad): string => parts.labels[String(load.entry.dumpId)] ?? "";
  const acts: TaskActs = {
    load: async (session, load) => {
      await loadTable(session, load, parts, (bytes) => report(bytes, 0));
      report(0, 1);
    },
    define: (session, entry) => runDefinition(session, entry, parts.knownTablespaces),
    connect: (session, key) => addForeignKey(session, key, parts.knownTablespaces),
    analyze: async (session, load) => {
      await session.query(`analyze ${load.table}`);
    },
  };
  const tasks = [
    ...loadTasks(plan, (load) => facts.units[labelOf(load)]?.sizeBytes ?? 0, acts),
    ...(await blobTasks(parts, report)),
    sequenceTask(plan.sequenceValues),
  ];
  await workThrough(
    tasks,
    {
      count: Math.min(parts.jobs, tasks.length),
      open: async (signal) => {
        const session = await openSession({ target, marker: context.marker, role: "target", signal });
        await prepareLoadSession(session, parts.encoding, parts.settings);
        return session;
      },
      close: (session) => session.close(),
    },
    context.signal,
  );
};
