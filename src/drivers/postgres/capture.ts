/**
 * Capture of one database: one snapshot, pg_dump's table of contents, one stream per table, so that what stands in the vault is a
 * directory-format archive that stock pg_restore reads. Nothing is spooled on disk.
 */
import type { CaptureReport } from "../../core/ports/driver.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import type { Facts, FactUnit } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { endEarlierAttempts } from "../../platform/postgres/application-name.ts";
import { type ArchiveToc, formatDirectoryToc } from "./archive-toc.ts";
import { captureBlob, formatBlobList, listBlobGroups } from "./capture-blobs.ts";
import { type TableTask, captureTable } from "./capture-table.ts";
import { describeCapture } from "./capture-warnings.ts";
import { type ClientPrograms, connectionArgument, findClientPrograms, programEnvironment } from "./client-programs.ts";
import { type ConnectionTarget, resolveTarget } from "../../platform/postgres/connection-target.ts";
import { archiveEncoding, readDumpToc } from "./dump-toc.ts";
import { type HeldSnapshot, holdSnapshot } from "./held-snapshot.ts";
import { largeObjectsUnit } from "./captured-detail.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { postgresLimits } from "./postgres-options.ts";
import { makePosition } from "./position.ts";
import { clientProgramError } from "./program-errors.ts";
import { hashSchemaShape, readSchemaShape } from "./schema-shape.ts";
import { type ServerVersion, readServerVersion } from "../../platform/postgres/server-version.ts";
import { type Session, openSession, withSession } from "../../platform/postgres/session.ts";
import { withoutMappingSecrets } from "./user-mappings.ts";
import { type Task, workThrough } from "./work-queue.ts";

/** @throws RefloatError source.unreachable, source.denied, source.unsupported, program.version */
const examineSource = async (context: PostgresContext, target: ConnectionTarget): Promise<ServerVersion> =>
  withSession({ target, marker: context.marker, role: "source", signal: context.signal }, async (session) => {
    const version = await readServerVersion(session);
    const [state] = await session.query<{ standby: boolean }>("select pg_is_in_recovery() as standby");
    if (state?.standby === true) {
      throw new RefloatError("source.unsupported", `the server of ${context.component} is a standby`, {
        hint: "name the primary in the url; a capture from a standby is not supported",
      });
    }
    await endEarlierAttempts(session, context.marker, [target.database]);
    return version;
  });

/** `COPY` text depends on these; they are those of pg_dump. Without row_security off, policies would filter silently. */
const copySettings = (encoding: string): string => `
  set search_path = '';
  set row_security = off;
  set datestyle = iso;
  set intervalstyle = postgres;
  set extra_float_digits = 3;
  set synchronize_seqscans = off;
  set client_encoding = '${encoding}'`;

const openReader = async (
  context: PostgresContext,
  target: ConnectionTarget,
  snapshot: HeldSnapshot,
  encoding: string,
  signal: AbortSignal,
): Promise<Session> => {
  const session = await openSession({ target, marker: context.marker, role: "source", signal });
  try {
    await session.query("begin isolation level repeatable read read only");
    await session.query(`set transaction snapshot '${snapshot.id}'`);
    await session.query(copySettings(encoding));
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
};

const dumpRoles = async (
  context: PostgresContext,
  target: ConnectionTarget,
  programs: ClientPrograms,
  signal: AbortSignal,
): Promise<string> => {
  const argumentList = ["--roles-only", "--no-role-passwords", "--no-password"];
  try {
    const { stdout } = await runProgram(
      programs.pgDumpall,
      [...argumentList, connectionArgument(target, context.marker)],
      { signal, environment: programEnvironment(target), cleanEnvironment: true, marker: context.marker },
    );
    return stdout;
  } catch (error) {
    throw clientProgramError(error, target, "source");
  }
};

/** What `pg_restore --create` would say of the database itself, to be read and applied by hand under any name. */
const databaseStatements = (toc: ArchiveToc): string =>
  toc.entries
    .filter(({ kind, tag }) => kind.startsWith("DATABASE") || tag.startsWith("DATABASE "))
    .map(({ definition }) => definition.trim())
    .join("\n\n");

type Contents = {
  readonly units: Readonly<Record<string, FactUnit>>;
  /** Dump id of an entry of rows to the name of its unit. */
  readonly labels: Readonly<Record<string, string>>;
  readonly sizeBytes: number;
  readonly rows: number;
};

const rowsOf = (units: Contents["units"]): Record<string, number> =>
  Object.fromEntries(Object.entries(units).flatMap(([label, { rows }]) => (rows === undefined ? [] : [[label, rows]])));

type CaptureParts = {
  readonly context: PostgresContext;
  readonly target: ConnectionTarget;
  readonly sink: CaptureSink;
  readonly snapshot: HeldSnapshot;
  readonly toc: ArchiveToc;
  readonly encoding: string;
  readonly expectedBytes: number | undefined;
};

const tableTasks = ({ toc, snapshot }: CaptureParts): TableTask[] => {
  const relations = new Map(snapshot.relations.map((relation) => [relation.oid, relation]));
  return toc.entries
    .filter(({ kind }) => kind === "TABLE DATA")
    .map((entry) => {
      const relation = relations.get(entry.oid);
      if (relation === undefined) {
        throw new RefloatError("source.unsupported", `the rows of ${entry.schema}.${entry.tag} cannot be captured`, {
          hint: "pg_dump lists it, but it is no ordinary table",
        });
      }
      return { entry, relation };
    });
};

const captureContents = async (parts: CaptureParts): Promise<Contents> => {
  const { context, sink, snapshot } = parts;
  const { signal } = snapshot;
  const root = `/${context.component}`;
  const tables = tableTasks(parts);
  const blobGroups = listBlobGroups(parts.toc);
  const blobs = blobGroups.flatMap(({ oids }) => oids);
  const bytesTotal = parts.expectedBytes ?? tables.reduce((sum, { relation }) => sum + relation.sizeBytes, 0);
  const units = new Map<string, FactUnit>();
  const done = { bytes: 0, items: 0, blobBytes: 0, rows: 0 };
  const report = (bytes: number, items: number): void => {
    done.bytes += bytes;
    done.items += items;
    context.progress({
      bytesDone: done.bytes,
      bytesTotal: Math.max(bytesTotal, done.bytes),
      itemsDone: done.items,
      itemsTotal: tables.length,
      unit: "tables",
    });
  };
  const progress = ({ bytes }: { readonly bytes: number }): void => report(bytes, 0);
  const retry = (): Promise<void> => context.clock.sleep(100, signal);
  const destination = { sink, root, signal, progress, retry };
  const tasks: Task<Session>[] = tables.map((task) => ({
    id: `table ${task.entry.dumpId}`,
    cost: task.relation.sizeBytes,
    run: async (session) => {
      const { rows = 0, sizeBytes, sha256 } = await captureTable(session, task, destination);
      units.set(task.relation.label, { rows, sizeBytes, sha256 });
      done.rows += rows;
      report(0, 1);
    },
  }));
  for (const oid of blobs) {
    tasks.push({
      id: `blob ${oid}`,
      cost: 0,
      run: async (session) => {
        const sizeBytes = await captureBlob(session, oid, destination);
        done.blobBytes += sizeBytes;
      },
    });
  }
  await workThrough(
    tasks,
    {
      count: Math.min(postgresLimits(context.options).jobs, tasks.length),
      open: (stop) => openReader(context, parts.target, snapshot, parts.encoding, stop),
      close: (session) => session.close(),
    },
    signal,
  );
  for (const { list, oids } of blobGroups) await sink.bytes(`${root}/${list}`, formatBlobList(oids));
  if (blobGroups.length > 0) {
    units.set(largeObjectsUnit, { rows: blobs.length, sizeBytes: done.blobBytes });
  }
  const sorted = [...units].sort(([a], [b]) => (a < b ? -1 : 1));
  const sizeBytes = sorted.reduce((sum, [, unit]) => sum + (unit.sizeBytes ?? 0), 0);
  const labels = Object.fromEntries(tables.map(({ entry, relation }) => [String(entry.dumpId), relation.label]));
  return { units: Object.fromEntries(sorted), labels, sizeBytes, rows: done.rows };
};

/** @throws RefloatError source.*, program.*, vault.*; then nothing of the component may be committed */
export const capturePostgres = async (
  context: PostgresContext,
  sink: CaptureSink,
  previous: CapturedComponent | null,
  pinned?: () => void,
): Promise<CaptureReport> => {
  const target = await resolveTarget(context);
  const limits = postgresLimits(context.options);
  const server = await examineSource(context, target);
  const programs = await findClientPrograms(server.major, context.signal);
  const snapshot = await holdSnapshot({ target, marker: context.marker, signal: context.signal }, limits, context);
  pinned?.();
  try {
    return await captureSnapshot({ context, target, sink, snapshot, server, programs, previous });
  } catch (error) {
    // Whatever a worker met when its connection was cut, the reason for the cut is what happened.
    if (snapshot.signal.aborted) throw snapshot.signal.reason;
    throw error;
  } finally {
    await snapshot.release();
  }
};

const captureSnapshot = async (parts: {
  readonly context: PostgresContext;
  readonly target: ConnectionTarget;
  readonly sink: CaptureSink;
  readonly snapshot: HeldSnapshot;
  readonly server: ServerVersion;
  readonly programs: ClientPrograms;
  readonly previous: CapturedComponent | null;
}): Promise<CaptureReport> => {
  const { context, target, sink, snapshot, server, programs } = parts;
  const root = `/${context.component}`;
  const encoding = archiveEncoding(snapshot.database.encoding);
  const dumped = await readDumpToc({
    programs,
    target,
    marker: context.marker,
    signal: snapshot.signal,
    snapshot: snapshot.id,
    encoding,
    excludeData: context.options.excludeData ?? [],
    lockTimeoutMs: postgresLimits(context.options).lockTimeoutMs,
  });
  const { entries, redacted } = withoutMappingSecrets(dumped.entries);
  const toc = { ...dumped, entries };
  const roles = await dumpRoles(context, target, programs, snapshot.signal);
  const expectedBytes = parts.previous?.facts.sizeBytes;
  const contents = await captureContents({ ...parts, toc, encoding, expectedBytes });
  await sink.bytes(`${root}/roles.sql`, Buffer.from(roles));
  await sink.bytes(`${root}/database.sql`, Buffer.from(databaseStatements(toc)));
  await sink.bytes(`${root}/toc.dat`, formatDirectoryToc(toc));
  const { excluded, warnings } = describeCapture({ toc, snapshot, redacted });
  const shape = readSchemaShape(toc);
  const facts: Facts = {
    sizeBytes: contents.sizeBytes,
    counts: { tables: toc.entries.filter(({ kind }) => kind === "TABLE DATA").length, rows: contents.rows },
    units: { ...contents.units },
    schemaHash: hashSchemaShape(shape),
    position: makePosition(snapshot.takenAt, {
      ...snapshot.mark,
      rows: rowsOf(contents.units),
      ...(excluded.length === 0 ? {} : { excluded: [...excluded] }),
    }),
    versions: { server: server.version, pg_dump: programs.version },
    detail: toJsonObject({ database: snapshot.database, shape, encoding, labels: contents.labels }),
  };
  const at = snapshot.takenAt.toISOString();
  return { path: root, facts, window: { beginAt: at, endAt: at }, consistency: "snapshot", warnings: [...warnings] };
};
