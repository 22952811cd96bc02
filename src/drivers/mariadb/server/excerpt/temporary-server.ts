/** A MariaDB server out of a point, for as long as it is asked: on no more files than what was asked for needs. */
import type { Replay } from "../../../../core/ports/driver.ts";
import type { TreeReader } from "../../../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../../../model/manifest.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { placeWords } from "../../binlog-line.ts";
import { type BinlogRange, emptyTally } from "../../binlog-walk.ts";
import { applyBinlog } from "../../replay-binlog.ts";
import { type SqlAccess, askSql, textOf } from "../../sql-client.ts";
import { type CapturedServer, capturedServerSchema } from "../captured-server.ts";
import { applyChanges, prepareFolder } from "../consistent-folder.ts";
import { rehearseServerLog, serverLogEvents, serverRange } from "../server-log.ts";
import type { ServerContext } from "../server-options.ts";
import { findServerProgram } from "../server-programs.ts";
import { type CapturedFile, chooseFiles, databasesIn, filesNamed, listFiles, tablesIn } from "./choose-files.ts";
import type { ExcerptName } from "./excerpt-name.ts";
import { type ServedFiles, type TemporaryServer, entryHint, serveFiles } from "./serve-files.ts";
import { unknownDatabase, unknownTable } from "./unknown-name.ts";

export type TemporarySource = { readonly tree: TreeReader; readonly captured: CapturedComponent };

export type TemporaryRequest = {
  /** What has to be in it. Of other databases and tables it may have nothing; what it has of them is as the point has it. */
  readonly name: ExcerptName;
  /** As of a moment after the point; null for the point itself. */
  readonly replay: Replay | null;
  /** What goes on now, in a person's words. */
  readonly stage: (what: string) => void;
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

/** Of the series that wrote the files: what makes a capture consistent, and the server. */
type Programs = { readonly backup: string; readonly server: string };

/** @throws RefloatError program.* */
export const findPrograms = async (context: ServerContext, { facts }: CapturedComponent): Promise<Programs> => {
  const version = facts.versions["server"] ?? "";
  const backup = await findServerProgram(context, "mariadb-backup", version);
  const server = await findServerProgram(context, "mariadbd", version);
  return { backup: backup.path, server: server.path };
};

type ChosenFiles = Pick<ServedFiles, "files" | "database" | "stage" | "begin"> & {
  readonly programs: Programs;
  /** Files of which nobody asked are not there. */
  readonly isPartial: boolean;
};

/** A server on files of a capture. @throws as `serveFiles` */
export const serveCaptured = (
  context: ServerContext,
  { facts }: CapturedComponent,
  { programs, isPartial, ...served }: ChosenFiles,
): Promise<TemporaryServer> => {
  const detail = capturedServerSchema.parse(facts.detail);
  return serveFiles(context, {
    ...served,
    server: detail,
    program: programs.server,
    explain: (said) =>
      new RefloatError("target.failed", `the temporary server does not start: ${said}`, { hint: entryHint }),
    arrange: (data) => applyChanges(data, detail.changes, { isPartial }),
    prepare: async (data, owner) => {
      served.stage("replaying the log of its capture");
      await prepareFolder(context, { program: programs.backup, folder: data, owner });
    },
  });
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
  context.signal.throwIfAborted();
  const detail = capturedServerSchema.parse(captured.facts.detail);
  const programs = await findPrograms(context, captured);
  const range = await rangeOf(context, captured, detail, replay);
  const all = await listFiles(tree, captured);
  const ignoresCase = (detail.settings["lower_case_table_names"] ?? "0") !== "0";
  // Rows and definitions of all databases come by the log.
  const wish = range === null ? { ...name, ignoresCase } : null;
  if (wish !== null) requireCaptured(all, wish);
  const files = await chooseFiles(all, detail.changes, wish === null ? null : filesNamed(wish));
  return serveCaptured(context, captured, {
    files,
    programs,
    isPartial: wish !== null,
    database: name.database,
    stage,
    begin: async (accessTo) => {
      if (range !== null) {
        stage(`replaying the log to ${placeWords(range.line, range.to)}`);
        await applyBinlog(accessTo(""), null, serverLogEvents(range, emptyTally()));
      }
      await requireDatabase(accessTo(name.database), ignoresCase);
    },
  });
};
