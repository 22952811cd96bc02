/**
 * Capture of one database: one mariadb-dump in one snapshot, cut into a stream for each table, so that what stands in the vault is SQL that
 * the stock client loads. Views, routines, triggers and events are read beside it. Nothing is spooled on disk.
 */
import { namesOff } from "./arming.ts";
import { createHash } from "node:crypto";
import type { CaptureReport } from "../../core/ports/driver.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import type { Facts, FactUnit } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { CapturedDetail, PositionMark } from "./captured-detail.ts";
import { findDump } from "./client-programs.ts";
import { codeScript, readCode } from "./code-objects.ts";
import { type Dump, openDump } from "./dump.ts";
import { type DumpSection, openSections } from "./dump-sections.ts";
import { type DatabaseState, type KeptCode, markerName, readDatabases } from "./marker-table.ts";
import type { MariadbContext } from "./mariadb-options.ts";
import { type ServerFacts, readServerFacts } from "./server-facts.ts";
import { type SourceTable, isOfOneMoment, listTables, tableWarnings } from "./source-tables.ts";
import { type SqlAccess, accessOf } from "./sql-client.ts";

/** A name that any file system and any archive takes: what is not plain is written as `%41`, what is too long ends in a hash. */
const fileOf = (name: string): string => {
  const plain = encodeURIComponent(name).replaceAll(/[!'()*.]/g, (found) => `%${found.charCodeAt(0).toString(16)}`);
  const short = createHash("sha256").update(name).digest("hex").slice(0, 16);
  return `tables/${plain.length <= 200 ? plain : `${plain.slice(0, 180)}~${short}`}.sql`;
};

type Captured = {
  readonly units: Record<string, FactUnit>;
  readonly tables: CapturedDetail["tables"];
  readonly definitions: string[];
  head: string;
  sizeBytes: number;
  rows: number;
};

const definitionEnd = "-- Dumping data for table";

/** Notes what makes a table what it is, without the counter that any insert moves. */
const noting = (section: DumpSection, into: string[], keepAll: boolean): DumpSection["bytes"] =>
  (async function* noted() {
    const parts: Uint8Array[] = [];
    let isOpen = true;
    for await (const chunk of section.bytes) {
      if (isOpen) {
        parts.push(chunk);
        isOpen = keepAll || !Buffer.from(chunk).includes(definitionEnd);
      }
      yield chunk;
    }
    const text = Buffer.concat(parts).toString("utf8");
    const end = text.indexOf(definitionEnd);
    into.push((end < 0 || keepAll ? text : text.slice(0, end)).replaceAll(/ AUTO_INCREMENT=\d+/g, ""));
  })();

const captureSections = async (
  context: MariadbContext,
  sink: CaptureSink,
  dump: Dump,
  listed: readonly SourceTable[],
  bytesTotal: number,
): Promise<Captured> => {
  const root = `/${context.component}`;
  const sections = openSections(dump.bytes);
  const engines = new Map(listed.map(({ name, engine }) => [name, engine]));
  const found: Captured = { units: {}, tables: {}, definitions: [], head: "", sizeBytes: 0, rows: 0 };
  const total = listed.filter(({ type }) => type !== "view").length;
  let itemsDone = 0;
  let bytesDone = 0;
  const report = (bytes: number): void => {
    bytesDone += bytes;
    const done = { bytesDone, bytesTotal: Math.max(bytesTotal, bytesDone) };
    context.progress({ ...done, itemsDone, itemsTotal: Math.max(total, itemsDone), unit: "tables" });
  };
  for (let section = await sections.next(); section !== null; section = await sections.next()) {
    const { kind, name } = section;
    const file = kind === "head" || kind === "tail" ? `${kind}.sql` : fileOf(name);
    const notes: string[] = [];
    const current = section;
    const receipt = await sink.stream(
      `${root}/${file}`,
      {
        bytes: noting(section, notes, kind === "head"),
        // The begin of what follows it, or the dump's own last word, says that a table is whole.
        seal: async () => {
          if (kind === "tail" && !sections.isComplete()) await dump.failed();
          return kind === "table" ? { rows: current.rows() } : {};
        },
      },
      context.signal,
      ({ bytes }) => report(bytes),
    );
    found.sizeBytes += receipt.sizeBytes;
    if (kind === "head") found.head = notes.join("");
    if (kind === "head" || kind === "tail") continue;
    itemsDone += 1;
    report(0);
    found.definitions.push(...notes.map((text) => (kind === "sequence" ? text.replaceAll(/SETVAL\(.*/g, "") : text)));
    found.tables[name] = { kind, file, engine: engines.get(name) ?? "" };
    if (kind === "sequence") continue;
    found.rows += section.rows();
    found.units[name] = { rows: section.rows(), sizeBytes: receipt.sizeBytes, sha256: receipt.sha256 };
  }
  if (!sections.isComplete()) await dump.failed();
  await dump.seal();
  return found;
};

/** `-- CHANGE MASTER TO MASTER_LOG_FILE='bin.000001', MASTER_LOG_POS=4628;` stands in the head, the GTID where the tail begins. */
const positionIn = (head: string): { readonly file: string; readonly position: number } | null => {
  const match = /MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=(\d+)/.exec(head);
  return match === null ? null : { file: match[1] ?? "", position: Number(match[2]) };
};

const codeNames = ({ objects }: KeptCode): Record<string, string[]> => {
  const names: Record<string, string[]> = {};
  for (const { kind, name, isBroken } of objects) if (isBroken !== true) (names[kind.toLowerCase()] ??= []).push(name);
  return names;
};

const codeWarnings = ({ objects }: KeptCode): readonly string[] => {
  const broken = objects.filter(({ isBroken }) => isBroken === true).map(({ name }) => name);
  return broken.length === 0
    ? []
    : [`broken where they were captured, and so perhaps not made again by a restore: the views ${broken.join(", ")}`];
};

const sorted = <Value>(record: Readonly<Record<string, Value>>): Record<string, Value> =>
  Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** Definitions are of no snapshot: rows of one moment would stand in tables of another. */
const changedMeanwhile = (what: string): RefloatError =>
  new RefloatError("source.under-pressure", `${what} while the database was captured`, {
    hint: "capture again when no migration is going on",
    state: "no point was made",
  });

const databaseGone = ({ target }: SqlAccess): RefloatError =>
  new RefloatError("source.failed", `there is no database "${target.database}" that may be read`, {
    hint: "if it was lost, recover it; else correct the url, or give the rights that refloat validate --live prints",
  });

const refuseNames = (tables: readonly SourceTable[]): void => {
  const odd = tables.find(({ name }) => /[\r\n]/.test(name));
  if (odd === undefined) return;
  throw new RefloatError("source.unsupported", `the table ${JSON.stringify(odd.name)} has a line feed in its name`, {
    hint: "rename it",
  });
};

/** Longer than the second to which the server tells when a table was made, and than its clock of files lags behind. */
const settlingMs = 1_200;
const mostLooks = 10;

/**
 * A table that is altered in the second in which it was made bears the same time as before: only when that second is over its time tells of every alteration that comes.
 * @throws RefloatError source.*
 */
const readSettled = async (
  access: SqlAccess,
  { clock, signal }: Pick<MariadbContext, "clock" | "signal">,
): Promise<DatabaseState> => {
  const { database } = access.target;
  let before = "";
  for (let looks = 0; looks < mostLooks; looks += 1) {
    const state = (await readDatabases(access, [database])).get(database);
    if (state === undefined) throw databaseGone(access);
    if (!state.isJustMade || state.fingerprint === before) return state;
    before = state.fingerprint;
    await clock.sleep(settlingMs, signal);
  }
  throw changedMeanwhile("tables were made or altered all the time");
};

/** @throws RefloatError source.*, program.*, vault.*; then nothing of the component may be committed */
export const captureMariadb = async (
  context: MariadbContext,
  sink: CaptureSink,
  previous: CapturedComponent | null,
): Promise<CaptureReport> => {
  const access = await accessOf(context, "source");
  const { database } = access.target;
  const server = await readServerFacts(access);
  const program = await findDump(server.version, context.signal);
  const state = await readSettled(access, context);
  const listed = await listTables(access, database);
  refuseNames(listed);
  const code = await readCode(access, database);
  const root = `/${context.component}`;
  const beginAt = context.clock.now();
  const ignored = [
    ...listed.filter(({ type }) => type === "view").map(({ name }) => name),
    ...(state.marked === null ? [] : [markerName(state.marked.id)]),
  ];
  const dump = await openDump(access, program.path, { ignored, hasBinlog: server.hasBinlog }, context.clock);
  let captured: Captured;
  try {
    captured = await captureSections(context, sink, dump, listed, previous?.facts.sizeBytes ?? 0);
  } finally {
    await dump.close();
  }
  const endAt = dump.beganAt();
  if (JSON.stringify(await readCode(access, database)) !== JSON.stringify(code))
    throw changedMeanwhile("views, routines, triggers or events were changed");
  const now = (await readDatabases(access, [database])).get(database);
  const altered = Object.keys(captured.tables).find((name) => state.madeAt.get(name) !== now?.madeAt.get(name));
  if (altered !== undefined) throw changedMeanwhile(`the table ${altered} was altered`);
  await sink.bytes(`${root}/code.json`, Buffer.from(`${JSON.stringify(code, null, 2)}\n`));
  await sink.bytes(`${root}/code.sql`, Buffer.from(codeScript(code)));
  // One that a recovery has switched off, and that nobody has armed since, is not off by anybody's wish.
  const waiting = await namesOff(access, database);
  const place = positionIn(captured.head);
  const detail: CapturedDetail = {
    database,
    charset: state.charset,
    collation: state.collation,
    lowerCaseNames: server.lowerCaseNames,
    tables: sorted(captured.tables),
    code: codeNames(code),
    armedEvents: code.objects
      .filter(({ kind, name, isEnabled }) => kind === "EVENT" && (isEnabled === true || waiting.includes(name)))
      .map(({ name }) => name),
    binlog: place === null ? null : { ...place, gtid: dump.gtid(), format: server.binlogFormat },
    serverId: server.serverId,
  };
  const tables = Object.values(captured.tables).filter(({ kind }) => kind === "table").length;
  return {
    path: root,
    facts: factsOf(captured, { server, program: program.version, detail, code, tables, takenAt: beginAt }),
    window: { beginAt: beginAt.toISOString(), endAt: (endAt ?? beginAt).toISOString() },
    consistency: listed.every(isOfOneMoment) ? "snapshot" : "live",
    warnings: [...tableWarnings(listed), ...codeWarnings(code)],
  };
};

const factsOf = (
  { units, sizeBytes, rows, definitions }: Captured,
  parts: {
    readonly server: ServerFacts;
    readonly program: string;
    readonly detail: CapturedDetail;
    readonly code: KeptCode;
    readonly tables: number;
    readonly takenAt: Date;
  },
): Facts => {
  const { server, detail, code } = parts;
  const mark: PositionMark = {
    gtid: detail.binlog?.gtid ?? null,
    tables: Object.fromEntries(
      Object.entries(units).map(([name, unit]) => [name, { rows: unit.rows ?? 0, checksum: null }]),
    ),
  };
  const schema = createHash("sha256").update(definitions.toSorted().join("\n")).update(JSON.stringify(code.objects));
  return {
    sizeBytes,
    counts: { tables: parts.tables, rows },
    units: sorted(units),
    schemaHash: schema.digest("hex"),
    position: { takenAt: parts.takenAt.toISOString(), mark: toJsonObject(mark) },
    versions: { server: server.version, "mariadb-dump": parts.program },
    detail: toJsonObject(detail),
  };
};
