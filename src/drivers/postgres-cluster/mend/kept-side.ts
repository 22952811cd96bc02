/**
 * The old side of a cluster that was switched: a folder in which no server runs, and none may, since an undo puts it back. Its files are read, never written: which of
 * its tables have rows of transactions that the point does not have, as the rows themselves tell; and these tables by a temporary server on copies.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesBefore } from "../../../core/logs/log-position.ts";
import type { KeptSideSource } from "../../../core/ports/row-mending.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { ownerOf } from "../../../platform/folder-server/folder-owner.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import { type CapturedDetail, capturedDetailSchema } from "../cluster-facts.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { type ControlData, readControlData, readMajor } from "../control-data.ts";
import { type CapturedFile, relationKey } from "../excerpt/captured-files.ts";
import { type TransactionSpan, hasRowsOf } from "../excerpt/heap-pages.ts";
import { firstOwnNumber, readDatabases, readRawCatalog } from "../excerpt/raw-catalog.ts";
import { listFolder } from "../excerpt/stopped-folder.ts";
import type { ExcerptOrigin } from "../excerpt/take-excerpt.ts";
import { findPostmaster } from "../postmaster.ts";
import { type PositionMark, readMark } from "../position.ts";
import { historyName } from "../timeline-history.ts";

export type KeptSide = {
  readonly origin: ExcerptOrigin;
  /** From the first transaction that the point may not have to the last one of all. */
  readonly after: TransactionSpan;
};

const unreadable = (side: string, why: string): RefloatError =>
  new RefloatError("source.unsupported", `no rows are read of ${side}: ${why}`, { state: "nothing was changed" });

/** A history line: `TIMELINE<tab>POSITION<tab>reason`, where that timeline was left. */
const historyLine = /^(?<timeline>\d+)\t(?<position>[0-9A-F]+\/[0-9A-F]+)\t/;

/** Did the cluster in the folder go on from the position, or from before it, by another way? */
const goesOnFrom = async (folder: string, control: ControlData, since: PositionMark): Promise<boolean> => {
  if (control.timeline === since.timeline) return true;
  const path = join(folder, "pg_wal", historyName(control.timeline));
  if (!(await pathExists(path))) return false;
  return (await readFile(path, "utf8")).split("\n").some((line) => {
    const { timeline, position } = historyLine.exec(line)?.groups ?? {};
    return Number(timeline) === since.timeline && bytesBefore(position ?? "0/0") >= bytesBefore(since.lsn);
  });
};

/** @throws RefloatError source.unsupported with the reason */
const requireReadable = async (context: ClusterContext, folder: string, since: PositionMark): Promise<ControlData> => {
  if ((await findPostmaster(folder)) !== null) throw unreadable(folder, "a server runs in it");
  const control = await readControlData(context, folder);
  const { state, systemIdentifier, nextTransaction } = control;
  // Its files do not have what it wrote last: that is in its log alone.
  if (state !== "shut down")
    throw unreadable(
      folder,
      `its server was not shut down (${state}), so that its files do not tell what it wrote last`,
    );
  if (systemIdentifier !== since.systemIdentifier) throw unreadable(folder, "it is another cluster than the point's");
  const isSetBack = BigInt(since.firstAfter ?? 0) > nextTransaction;
  if (isSetBack || !(await goesOnFrom(folder, control, since)))
    throw unreadable(folder, "it does not go on from the point, so that its rows do not tell what came after that");
  return control;
};

/** @throws RefloatError source.unsupported with the reason why no rows of it can be told from those of the point; source.failed, program.* */
export const openKeptSide = async (
  context: ClusterContext,
  { side, since, point }: KeptSideSource,
): Promise<KeptSide> => {
  const mark = readMark(since);
  if (mark.firstAfter === null)
    throw unreadable(side, "the point was taken by an older Refloat, which did not note which transactions it has");
  const control = await requireReadable(context, side, mark);
  const source = await listFolder(side, control);
  const names = await readDatabases(source.files);
  const there = new Set(source.files.flatMap(({ relation }) => (relation === null ? [] : [relation.database])));
  const captured = capturedDetailSchema.parse((await point()).captured.facts.detail);
  const [likeness] = captured.databases;
  if (likeness === undefined) throw new RefloatError("bug", "a cluster was captured without a database");
  const detail: CapturedDetail = {
    ...captured,
    major: await readMajor(side),
    timeline: control.timeline,
    owner: await ownerOf(side, context.signal),
    databases: [...names]
      .filter(([oid]) => there.has(oid))
      .map(([oid, name]) => ({ ...likeness, oid, name, allowsConnections: true })),
  };
  return { origin: { detail, source }, after: { floor: BigInt(mark.firstAfter), next: control.nextTransaction } };
};

const initFork = /_init$/;

/** Their rows are in no point, and so in no recovered cluster: none of them came after it. */
const unloggedOf = (files: readonly CapturedFile[]): ReadonlySet<string> =>
  new Set(
    files.flatMap(({ path, relation }) =>
      relation !== null && initFork.test(path) ? [relationKey(relation.database, relation.filenode)] : [],
    ),
  );

/** Tables of a database that have rows of transactions after the point's, by `relationKey`, as they are found. @param database its OID */
export async function* writtenRelations(
  { origin: { detail, source }, after }: KeptSide,
  database: string,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const { relations } = await readRawCatalog(source.files, database, detail.major);
  const tables = new Set(
    relations.filter(({ oid, kind }) => kind === "r" && oid >= firstOwnNumber).map(({ filenode }) => filenode),
  );
  const unlogged = unloggedOf(source.files);
  const found = new Set<string>();
  for (const { relation, content } of source.files) {
    if (relation?.database !== database || !relation.isMain || !tables.has(relation.filenode)) continue;
    const key = relationKey(database, relation.filenode);
    signal.throwIfAborted();
    if (found.has(key) || unlogged.has(key) || !(await hasRowsOf(content(), after))) continue;
    found.add(key);
    yield key;
  }
}
