/**
 * Sequences of a recovered cluster go on where those of the side that it replaces have stopped: no order gets a number that another order has had. Their values are read
 * out of the files of the stopped side, and set in the instance while its own server still runs, by the socket that only Refloat reaches.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import { type Said, createCarryOver, describeCarriedIn } from "../../platform/folder-server/carried-counters.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import type { Session, SessionOptions } from "../../platform/postgres/session.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { readControlData, readMajor } from "./control-data.ts";
import type { CapturedFile } from "./excerpt/captured-files.ts";
import { rawRows } from "./excerpt/heap-pages.ts";
import { readRawCatalog, readSuperusers } from "./excerpt/raw-catalog.ts";
import { listFolder } from "./excerpt/stopped-folder.ts";
import { openAsSuperuser } from "./excerpt/superuser-session.ts";
import { instancePortOf, instanceSocketTarget, startInstance } from "./instance-server.ts";
import { sequenceRecord } from "./sequence-record.ts";

/** What `FormData_pg_sequence_data` has. */
const inSequence = { value: 0, isCalled: 16, end: 17 } as const;

/** The last value that was given out; null when none was. */
const lastValueIn = async ({ content }: CapturedFile): Promise<bigint | null> => {
  for await (const { data } of rawRows(content()))
    if (data.length >= inSequence.end)
      return data.readUInt8(inSequence.isCalled) === 0 ? null : data.readBigInt64LE(inSequence.value);
  return null;
};

const nameKey = (schema: string, name: string): string => JSON.stringify([schema, name]);

/** @param database its OID */
const readOld = async (
  files: readonly CapturedFile[],
  database: string,
  major: number,
): Promise<ReadonlyMap<string, bigint>> => {
  const { relations, namespaces } = await readRawCatalog(files, database, major);
  const schemas = new Map(namespaces.map(({ oid, name }) => [oid, name]));
  const values = new Map<string, bigint>();
  for (const { kind, filenode, name, namespace } of relations) {
    if (kind !== "S") continue;
    const file = files.find(
      ({ relation }) => relation?.database === database && relation.filenode === filenode && relation.isMain,
    );
    const value = file === undefined || file.sizeBytes === 0 ? null : await lastValueIn(file);
    if (value !== null) values.set(nameKey(schemas.get(namespace) ?? "", name), value);
  }
  return values;
};

type Present = {
  readonly schema: string;
  readonly name: string;
  readonly value: string | null;
  readonly ascending: boolean;
  readonly cycles: boolean;
};

const presentSql = `
  select schemaname as schema, sequencename as name, last_value::text as value, increment_by > 0 as ascending, cycle as cycles
    from pg_catalog.pg_sequences order by 1, 2`;

const isAhead = (old: bigint, { value, ascending }: Present): boolean =>
  value === null || (ascending ? old > BigInt(value) : old < BigInt(value));

/** Of a sequence that was given a wider type or range after the point. */
const outOfRange = "22003";

/** Says which were moved, and which could not be. */
export const moveIn = async (
  session: Session,
  old: ReadonlyMap<string, bigint>,
  database: string,
  said: Said,
): Promise<void> => {
  for (const present of await session.query<Present>(presentSql)) {
    const { schema, name, value, cycles } = present;
    const before = old.get(nameKey(schema, name));
    if (before === undefined || !isAhead(before, present)) continue;
    const shown = `${database}: ${schema === "public" ? "" : `${schema}.`}${name}`;
    const was = value ?? "its start";
    if (cycles) {
      said.left.push(`${shown} cycles; it was left at ${was}`);
      continue;
    }
    try {
      await session.query("select pg_catalog.setval(format('%I.%I', $1::text, $2::text)::regclass, $3)", [
        schema,
        name,
        String(before),
      ]);
      said.moved.push(`${shown} goes on after ${before} (was at ${was})`);
    } catch (error) {
      // The others must be moved all the same.
      if (sqlStateOf(error) !== outOfRange) throw error;
      said.left.push(
        `${shown} cannot go as far as ${before}, which the old side has given out: it was left at ${was}; alter it as it was altered after the point, then set it`,
      );
    }
  }
};

const databasesSql =
  "select oid::text as oid, datname as name from pg_database where datallowconn and not datistemplate order by datname";

const moveAll = async (context: ClusterContext, stopped: string, instance: string, said: Said): Promise<void> => {
  const control = await readControlData(context, stopped);
  if (control.state !== "shut down") {
    said.left.push(
      "sequences were left as they are in the point: the old side was not shut down, so that its files do not tell where its own have stopped",
    );
    return;
  }
  const { files } = await listFolder(stopped, control);
  const major = await readMajor(stopped);
  await startInstance(context, instance);
  const { marker, signal } = context;
  const superusers = await readSuperusers(files);
  const target = await instanceSocketTarget(context, instance);
  const open = (database: string): Promise<Session> => {
    const asked: SessionOptions = { target: { ...target, database }, marker, role: "target", signal };
    return openAsSuperuser(superusers, asked);
  };
  const within = async <Result>(database: string, act: (session: Session) => Promise<Result>): Promise<Result> => {
    const session = await open(database);
    try {
      return await act(session);
    } finally {
      await session.close();
    }
  };
  const databases = await within("template1", (session) => session.query<{ oid: string; name: string }>(databasesSql));
  for (const { oid, name } of databases) {
    const old = await readOld(files, oid, major);
    if (old.size > 0) await within(name, (session) => moveIn(session, old, name, said));
  }
};

/** Null where that cannot be told. */
const whereStopped = async (context: ClusterContext, folder: string): Promise<string | null> => {
  try {
    const { systemIdentifier, timeline, position } = await readControlData(context, folder);
    return `${systemIdentifier} ${timeline} ${position}`;
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return null;
  }
};

export const carrySequencesOver = createCarryOver<ClusterContext>({
  what: "sequences",
  record: sequenceRecord,
  whereStopped,
  isInstance: async (folder) => (await instancePortOf(folder)) !== null,
  moveAll,
});

/** For the report, of the folder that serves. @throws RefloatError target.failed */
export const describeCarried = (folder: string): Promise<readonly string[]> =>
  describeCarriedIn(sequenceRecord, folder);
