/**
 * A MariaDB server out of a point, for as long as it is asked: on no more files than one database or table needs, reached by a socket in a private folder alone, without
 * events, network, binary log or engines that reach other servers. It ends when we do, however that comes, and its folder goes with the next one then.
 */
import { chmod, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pLimit from "p-limit";
import type { Replay } from "../../../../core/ports/driver.ts";
import type { TreeReader } from "../../../../core/ports/vault-snapshots.ts";
import { formatBytes } from "../../../../core/text/quantity.ts";
import type { CapturedComponent } from "../../../../model/manifest.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { eachOf } from "../../../../platform/each-of.ts";
import { type ChildServer, startChildServer } from "../../../../platform/folder-server/child-server.ts";
import { type Owner, giveTree } from "../../../../platform/folder-server/folder-owner.ts";
import { measureSpace } from "../../../../platform/free-space.ts";
import { partialName, sweepPartials } from "../../../../platform/partial-names.ts";
import { hideText } from "../../../../platform/secret.ts";
import { translateSystemErrors } from "../../../../platform/system-error.ts";
import { placeWords } from "../../binlog-line.ts";
import { type BinlogRange, emptyTally } from "../../binlog-walk.ts";
import { applyBinlog } from "../../replay-binlog.ts";
import { type SqlAccess, askSql, textOf } from "../../sql-client.ts";
import { type CapturedServer, capturedServerSchema } from "../captured-server.ts";
import { applyChanges, prepareFolder } from "../consistent-folder.ts";
import { instanceWords, letsUsIn, ownUser, writeInstanceAccess } from "../instance-server.ts";
import { rehearseServerLog, serverLogEvents, serverRange } from "../server-log.ts";
import type { ServerContext } from "../server-options.ts";
import { serverOwner } from "../server-owner.ts";
import { findServerProgram } from "../server-programs.ts";
import { type CapturedFile, chooseFiles, databasesIn, listFiles, tablesIn } from "./choose-files.ts";
import type { ExcerptName } from "./excerpt-name.ts";
import { unknownDatabase, unknownTable } from "./unknown-name.ts";
import { writeInFull } from "../../../../platform/folder-server/write-in-full.ts";

export type TemporarySource = { readonly tree: TreeReader; readonly captured: CapturedComponent };

export type TemporaryRequest = {
  /** What has to be in it. Of other databases and tables it may have nothing; what it has of them is as the point has it. */
  readonly name: ExcerptName;
  /** As of a moment after the point; null for the point itself. */
  readonly replay: Replay | null;
  /** What goes on now, in a person's words. */
  readonly stage: (what: string) => void;
};

export type TemporaryServer = {
  /** As a user that may do everything, in the database that was asked for, which may not be there. */
  readonly access: SqlAccess;
  /** Ends it and removes all of it. Idempotent; never throws for the server. */
  readonly close: () => Promise<void>;
};

/** What a server makes for itself: redo log, temporary tables, undo. */
const ownBytes = 160 * 1_048_576;
const blockBytes = 4096;
/** A server has many small files, and a vault may be far away. */
const atOnce = 12;
/** What a Unix socket's path may be long, less its name. */
const longestSocketFolder = 107 - "/s".length;

const sizeOf = (files: readonly CapturedFile[]): number =>
  files.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / blockBytes) * blockBytes, 0);

const requireRoom = async (context: ServerContext, files: readonly CapturedFile[]): Promise<void> => {
  const folder = tmpdir();
  const bytes = sizeOf(files) + ownBytes;
  const [space] = await measureSpace([{ path: folder, bytes, component: context.component }]);
  if (space === undefined || space.freeBytes >= space.neededBytes) return;
  throw new RefloatError(
    "target.failed",
    `a temporary server for it takes ${formatBytes(space.neededBytes)} in ${folder}, where ${formatBytes(space.freeBytes)} are free`,
    {
      state: "nothing was made",
      hint: "let TMPDIR name a folder on a larger disk, which the user of the server can enter",
    },
  );
};

const writeFiles = async (
  files: readonly CapturedFile[],
  data: string,
  { context: { signal }, stage }: { readonly context: ServerContext; readonly stage: TemporaryRequest["stage"] },
): Promise<void> => {
  const amount = formatBytes(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  let readBytes = 0;
  for (const folder of new Set(files.map(({ path }) => dirname(path))))
    await mkdir(join(data, folder), { recursive: true, mode: 0o700 });
  const write = async (file: CapturedFile): Promise<void> => {
    await writeInFull(file.content(), join(data, file.path), signal);
    readBytes += file.sizeBytes;
    stage(`reading ${formatBytes(readBytes)} of ${amount}`);
  };
  // Whoever removes the folder after a failure meets no file that is still being made.
  await eachOf(files, pLimit(atOnce), signal, write);
};

/** Nobody needs any of it after a crash. */
const carelessWords = [
  "--loose-innodb-flush-log-at-trx-commit=0",
  "--loose-innodb-doublewrite=0",
  "--loose-innodb-log-file-size=32M",
  "--loose-innodb-stats-auto-recalc=OFF",
];

const lookAgainMs = 50;

const untilReady = async (context: ServerContext, server: ChildServer, access: SqlAccess): Promise<void> => {
  for (;;) {
    server.requireSound();
    if (server.hasEnded()) {
      await server.end();
      throw new RefloatError("target.failed", `the temporary server does not start: ${server.lastWords()}`, {
        hint: "its folder is in TMPDIR, which its user has to be able to enter",
      });
    }
    if (await letsUsIn(access)) return;
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

type Place = {
  readonly data: string;
  readonly socket: string;
  readonly owner: Owner;
  /** Path of mariadbd. */
  readonly program: string;
};

const start = async (
  context: ServerContext,
  { data, socket, owner, program }: Place,
  { settings }: CapturedServer,
): Promise<{ readonly server: ChildServer; readonly access: (database: string) => SqlAccess }> => {
  const password = hideText(await writeInstanceAccess(data, context.signal));
  const server = await startChildServer(context, owner, {
    words: [
      program,
      ...instanceWords(data, { port: 0, settings }, true),
      `--socket=${socket}`,
      ...carelessWords,
      ...(owner.uid === 0 ? ["--user=root"] : []),
    ],
    ending: "SIGKILL",
  });
  const access = (database: string): SqlAccess => ({
    target: {
      host: null,
      port: 0,
      socket,
      user: ownUser,
      password,
      database,
      tls: "disable",
      tlsRootCertificate: null,
    },
    role: "source",
    marker: context.marker,
    signal: context.signal,
  });
  return { server, access };
};

/** Before anything is made. */
const requireCaptured = (files: readonly CapturedFile[], wish: Parameters<typeof tablesIn>[1]): void => {
  const { database, table } = wish;
  const { hasDatabase, isThere, names } = tablesIn(files, wish);
  if (!hasDatabase) throw unknownDatabase(database, databasesIn(files));
  if (!isThere && table !== null) throw unknownTable(database, table, names);
};

/** One that was dropped or made since the point. */
const requireDatabase = async (access: SqlAccess, ignoresCase: boolean): Promise<void> => {
  const { database } = access.target;
  const rows = await askSql(access, "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA;");
  const names = rows.map((row) => textOf(row, "name"));
  const isIt = (name: string): boolean =>
    name === database || (ignoresCase && name.toLowerCase() === database.toLowerCase());
  if (!names.some(isIt)) throw unknownDatabase(database, names);
};

const rangeOf = async (
  { signal }: ServerContext,
  captured: CapturedComponent,
  { binlog }: CapturedServer,
  replay: Replay | null,
): Promise<BinlogRange | null> => {
  if (replay === null) return null;
  const range = serverRange(captured, binlog, replay);
  await rehearseServerLog(range, signal);
  return range;
};

/**
 * What is left when it fails is removed.
 * @throws RefloatError point.*, target.failed when there is no room, program.*, log.*, vault.*
 */
export const openTemporary = async (
  context: ServerContext,
  { tree, captured }: TemporarySource,
  { name, replay, stage }: TemporaryRequest,
): Promise<TemporaryServer> => {
  const { signal } = context;
  signal.throwIfAborted();
  const { facts } = captured;
  const detail = capturedServerSchema.parse(facts.detail);
  const version = facts.versions["server"] ?? "";
  const backup = await findServerProgram(context, "mariadb-backup", version);
  const { path: program } = await findServerProgram(context, "mariadbd", version);
  const range = await rangeOf(context, captured, detail, replay);
  const all = await listFiles(tree, captured);
  const ignoresCase = (detail.settings["lower_case_table_names"] ?? "0") !== "0";
  // Rows and definitions of all databases come by the log.
  const wish = range === null ? { ...name, ignoresCase } : null;
  if (wish !== null) requireCaptured(all, wish);
  const files = await chooseFiles(all, detail.changes, wish);
  for (const folder of new Set([tmpdir(), "/tmp"])) await sweepPartials(folder);
  await requireRoom(context, files);
  const owner = await serverOwner(context, null, detail);
  const root = partialName(join(tmpdir(), "excerpt"));
  const sockets = Buffer.byteLength(root) <= longestSocketFolder ? root : partialName("/tmp/excerpt");
  const folders = [...new Set([root, sockets])];
  let server: ChildServer | null = null;
  const close = async (): Promise<void> => {
    await server?.stop();
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  };
  const open = async (): Promise<SqlAccess> => {
    const data = join(root, "data");
    for (const folder of [...folders, data]) await mkdir(folder, { mode: 0o700 });
    await writeFiles(files, data, { context, stage });
    await applyChanges(data, detail.changes, { isPartial: wish !== null });
    await chmod(data, 0o700);
    for (const folder of folders) await giveTree(folder, owner, signal);
    stage("replaying the log of its capture");
    await prepareFolder(context, { program: backup.path, folder: data, owner });
    stage("starting");
    const started = await start(context, { data, socket: join(sockets, "s"), owner, program }, detail);
    server = started.server;
    await untilReady(context, server, started.access(""));
    if (range !== null) {
      stage(`replaying the log to ${placeWords(range.line, range.to)}`);
      await applyBinlog(started.access(""), null, serverLogEvents(range, emptyTally()));
    }
    const access = started.access(name.database);
    await requireDatabase(access, ignoresCase);
    return access;
  };
  try {
    const access = await translateSystemErrors("target.failed", "a temporary server cannot be made in TMPDIR", open);
    return { access, close };
  } catch (error) {
    await close();
    throw error;
  }
};
