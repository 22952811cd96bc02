/** The tasks of a load: which statement needs what, and what it locks. The locks are those that the server itself would take. */
import type { TocEntry } from "./archive-toc.ts";
import type { ForeignKey, RestorePlan, TableLoad } from "./restore-plan.ts";
import type { Session } from "../../platform/postgres/session.ts";
import type { Task } from "./work-queue.ts";

export type TaskActs = {
  readonly load: (session: Session, load: TableLoad) => Promise<void>;
  readonly define: (session: Session, entry: TocEntry) => Promise<void>;
  readonly connect: (session: Session, key: ForeignKey) => Promise<void>;
  readonly analyze: (session: Session, load: TableLoad) => Promise<void>;
};

const loadId = (table: string): string => `load ${table}`;
const builtId = (table: string): string => `analyze ${table}`;

/** Building an index takes about this part of the time of loading its table. */
const indexFraction = 0.3;

const tableTasks = (load: TableLoad, sizeBytes: number, acts: TaskActs): readonly Task<Session>[] => {
  const { table } = load;
  const needs = [loadId(table)];
  const cost = sizeBytes * indexFraction;
  const constraints = load.constraints.map((entry): Task<Session> => ({
    id: `constraint ${entry.dumpId}`,
    cost,
    needs,
    owns: [table],
    run: (session) => acts.define(session, entry),
  }));
  const indexes = load.indexes.map((entry): Task<Session> => ({
    id: `index ${entry.dumpId}`,
    cost,
    needs,
    shares: [table],
    run: (session) => acts.define(session, entry),
  }));
  const analyze: Task<Session> = {
    id: builtId(table),
    cost: 0,
    needs: [...needs, ...constraints.map(({ id }) => id), ...indexes.map(({ id }) => id)],
    owns: [table],
    run: (session) => acts.analyze(session, load),
  };
  const rows: Task<Session> = {
    id: loadId(table),
    cost: sizeBytes,
    owns: [table],
    run: (session) => acts.load(session, load),
  };
  return [rows, ...constraints, ...indexes, analyze];
};

const foreignKeyTask = (key: ForeignKey, sizeBytes: number, acts: TaskActs): Task<Session> => ({
  id: `foreign key ${key.entry.dumpId}`,
  cost: sizeBytes * indexFraction,
  // With the statistics of both tables the server joins them well.
  needs: key.tables.map(builtId),
  owns: [...new Set(key.tables)],
  run: (session) => acts.connect(session, key),
});

/** @param sizeOf bytes of the rows of a table, quoted */
export const loadTasks = (
  plan: RestorePlan,
  sizeOf: (load: TableLoad) => number,
  acts: TaskActs,
): readonly Task<Session>[] => {
  const sizes = new Map(plan.tables.map((load) => [load.table, sizeOf(load)]));
  return [
    ...plan.tables.flatMap((load) => tableTasks(load, sizes.get(load.table) ?? 0, acts)),
    ...plan.foreignKeys.map((key) => foreignKeyTask(key, sizes.get(key.tables[0]) ?? 0, acts)),
  ];
};
