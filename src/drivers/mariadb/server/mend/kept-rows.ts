/**
 * Rows that were written to the old side of a server after the point, as a source: of one database a temporary server for what it has, and one for what the point has of the
 * same tables. Both are on copies.
 */
import { requireLoadable } from "../../../../core/mend/loadable-size.ts";
import type { KeptSideSource } from "../../../../core/ports/row-mending.ts";
import type { ByteStream } from "../../../../core/ports/bytes.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { loadSql } from "../../load-table.ts";
import { type MariadbRowSource, ofKeptSide, rowsLeft } from "../../mend/row-source.ts";
import { hasRows, listTables, memoryEngine } from "../../source-tables.ts";
import { type SqlAccess, runSql } from "../../sql-client.ts";
import { quoteName } from "../../sql-text.ts";
import { capturedServerSchema } from "../captured-server.ts";
import { type CapturedFile, type FileWish, chooseFiles, listFiles, tableOf } from "../excerpt/choose-files.ts";
import { formatExcerptName } from "../excerpt/excerpt-name.ts";
import { dumpRows, findTable } from "../excerpt/read-wanted.ts";
import { requireRoom } from "../../../../platform/folder-server/require-room.ts";
import { type TemporaryServer, roomFor } from "../excerpt/serve-files.ts";
import { findPrograms, serveCaptured } from "../excerpt/temporary-server.ts";
import { isNoSuchTable, unknownDatabase } from "../excerpt/unknown-name.ts";
import { namesOfFolders } from "../file-names.ts";
import { type ServerContext, liveAccessOf } from "../server-options.ts";
import {
  type KeptSide,
  nothingOfUsers,
  readKeptSide,
  requireWithin,
  serveKept,
  whyOutside,
  writtenFiles,
} from "./kept-side.ts";
import { liveDatabases } from "./live-database.ts";
import { rowsOfTable } from "./temporary-rows.ts";
import { whyUnseen } from "./unseen-tables.ts";

type Folders = ReadonlyMap<string, string>;

/** Databases of the side by their folders. */
const databasesOf = async (access: SqlAccess, { written, leadsOut }: KeptSide): Promise<Folders> =>
  namesOfFolders(access, [...written.keys(), ...leadsOut.filter((path) => !path.includes("/") && !written.has(path))]);

const heard =
  (context: ServerContext, of: string) =>
  (stage: string): void =>
    context.log.info(stage, { of });

const filesOf = (side: KeptSide, wish: FileWish): Promise<readonly CapturedFile[]> => chooseFiles(side.files, [], wish);

/** Whether the server was shut down its own answer tells, by a copy without any table of its users. @throws RefloatError as `serveKept` */
const requireShutDown = async (context: ServerContext, side: KeptSide): Promise<void> => {
  const files = await filesOf(side, nothingOfUsers);
  const stage = heard(context, side.folder);
  await (await serveKept(context, side, { files, database: "", stage })).close();
};

/**
 * Databases of the old side to which something was written after the point: those that are live, and why the others are not looked at.
 * @throws RefloatError source.unsupported with the reason why that cannot be told; target.failed
 */
export const writtenDatabases = async (
  context: ServerContext,
  source: KeptSideSource,
): Promise<{ readonly names: readonly string[]; readonly left: readonly string[] }> => {
  const side = await readKeptSide(context, source);
  const access = await liveAccessOf(context, "source");
  await requireShutDown(context, side);
  const live = new Set(await liveDatabases(context));
  const names: string[] = [];
  const left: string[] = [];
  for (const [folder, database] of await databasesOf(access, side)) {
    const outside = whyOutside(side, folder);
    if (outside === null && side.written.get(folder)?.size === 0) continue;
    const why = live.has(database) ? outside : await whyNotLive(context, access, database);
    if (why === null) names.push(database);
    else left.push(`the database ${database}: ${why}`);
  }
  return { names: names.toSorted(), left };
};

const whyNotLive = async (context: ServerContext, access: SqlAccess, database: string): Promise<string> =>
  (await whyUnseen(context, access, { database, table: null })) ??
  "it is not in the recovered side: it was made after the point";

/** The same rows of tables of the point, by one server that is made when the first is asked for. */
const pointTables = async (context: ServerContext, { point }: KeptSide, wish: FileWish) => {
  const { tree, captured } = point;
  const { changes } = capturedServerSchema.parse(captured.facts.detail);
  const all = await listFiles(tree, captured);
  const files = await chooseFiles(all, changes, wish);
  const hasAny = files.some(({ path }) => {
    const [folder = "", name] = path.split("/");
    return name !== undefined && wish.isDatabase(folder) && wish.isTable(tableOf(name));
  });
  let server: TemporaryServer | null = null;
  return {
    roomBytes: hasAny ? roomFor(files) : 0,
    serve: async (database: string): Promise<SqlAccess | null> => {
      if (!hasAny) return null;
      const stage = heard(context, point.words);
      server ??= await serveCaptured(context, captured, {
        files,
        programs: await findPrograms(context, captured),
        isPartial: true,
        database,
        stage,
        begin: async () => undefined,
      });
      return server.access;
    },
    close: async (): Promise<void> => server?.close(),
  };
};

async function* withoutChecks(dump: ByteStream): ByteStream {
  yield Buffer.from("SET SESSION check_constraint_checks = 0;\n");
  yield* dump;
}

/**
 * Lays the live table beside that of the old side, on the server of that, which is nobody's: there one statement compares both.
 * @throws RefloatError source.unsupported
 */
const layLive = async (
  context: ServerContext,
  { live, beside }: { readonly live: SqlAccess; readonly beside: SqlAccess },
  label: string,
): Promise<void> => {
  const found = (await listTables(live, live.target.database)).find(({ name }) => name === label);
  await runSql(beside, `CREATE DATABASE IF NOT EXISTS ${quoteName(beside.target.database)};`);
  if (found === undefined || !hasRows(found)) return;
  requireLoadable(label, found.sizeBytes);
  try {
    await requireRoom(context, found.sizeBytes);
    await loadSql(beside, beside.target.database, withoutChecks(dumpRows(context, live, label)));
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError) || error.code !== "target.failed") throw error;
    throw new RefloatError("source.unsupported", `the live ${label} cannot be laid beside it: ${error.message}`, {
      cause: error,
      state: "nothing was changed",
    });
  }
};

/** Of one table what has not been found on one of the servers. */
const orNull = async <Found>(ask: () => Promise<Found>): Promise<Found | null> => {
  try {
    return await ask();
  } catch (error) {
    if (isNoSuchTable(error)) return null;
    throw error;
  }
};

/**
 * No server is left of it, however `act` ends.
 * @param live in the database whose rows are meant @throws RefloatError as `readKeptSide`, `serveKept`; point.unknown for a database that the side does not have
 */
export const withKeptRows = async <Result>(
  context: ServerContext,
  source: KeptSideSource,
  live: SqlAccess,
  act: (rows: MariadbRowSource) => Promise<Result>,
): Promise<Result> => {
  const { database } = live.target;
  const { words } = source;
  const side = await readKeptSide(context, source);
  const folders = await databasesOf(live, side);
  const folder = [...folders].find(([, name]) => name === database)?.[0];
  if (folder === undefined) throw unknownDatabase(database, [...folders.values()]);
  requireWithin(side, folder);
  const wish = writtenFiles(side, folder);
  if (side.written.get(folder)?.size === 0)
    return act(ofKeptSide({ words, labels: [], open: async () => null, rowsLeft: async () => null }));
  const files = await filesOf(side, wish);
  const point = await pointTables(context, side, wish);
  await requireRoom(context, roomFor(files) + point.roomBytes);
  const stage = heard(context, formatExcerptName({ database, table: null }));
  const kept = await serveKept(context, side, { files, database, stage });
  const besideName = database === "refloat_live" ? "refloat_live_2" : "refloat_live";
  const beside: SqlAccess = { ...kept.access, target: { ...kept.access.target, database: besideName } };
  try {
    // What was in memory has gone with the server.
    const listed = (await listTables(kept.access, database)).filter(
      (table) => hasRows(table) && table.engine !== memoryEngine,
    );
    return await act(
      ofKeptSide({
        words,
        labels: listed.map(({ name }) => name),
        open: (label) =>
          orNull(async () => ({
            ...(await rowsOfTable(context, kept.access, label)),
            before: async () => {
              const access = await point.serve(database);
              return access === null ? null : orNull(() => rowsOfTable(context, access, label));
            },
          })),
        rowsLeft: (label, wanted) =>
          orNull(async () => {
            const { sizeBytes } = await findTable(kept.access, label);
            requireLoadable(label, sizeBytes);
            await layLive(context, { live, beside }, label);
            return rowsLeft(beside, database, { label, wanted });
          }),
      }),
    );
  } finally {
    await point.close();
    await kept.close();
  }
};
