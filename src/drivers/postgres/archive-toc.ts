/**
 * The table of contents of a pg_dump archive: read from a custom-format stream as it comes, written as the `toc.dat` of a
 * directory-format archive of the same version. Source of the format: PostgreSQL's own pg_backup_archiver.c and pg_backup_directory.c.
 * Knows the archive versions 1.14 (pg_dump 12 to 15), 1.15 (16) and 1.16 (17 and 18); nothing here runs a program.
 */
import { RefloatError } from "../../model/refloat-error.ts";

export type TocEntry = {
  readonly dumpId: number;
  /** Rows or large objects follow for this entry. */
  readonly hasData: boolean;
  /** OID of the catalog and of the object in it; 0 for what has none. For `TABLE DATA` the table's own OID. */
  readonly tableOid: number;
  readonly oid: number;
  readonly tag: string;
  /** `TABLE`, `TABLE DATA`, `INDEX`, `SEQUENCE SET`, ... */
  readonly kind: string;
  readonly section: TocSection;
  readonly definition: string;
  /** `COPY public.orders (id, total) FROM stdin;` for table data. */
  readonly copyStatement: string;
  readonly schema: string;
  readonly tablespace: string;
  readonly owner: string;
  readonly dependencies: readonly number[];
  /** The entry as it was read, up to and without the part that belongs to the custom format. */
  readonly raw: Buffer;
  /** Where in `raw` the definition stands, its length included. */
  readonly definitionAt: { readonly begin: number; readonly end: number };
};

export type TocSection = "none" | "pre-data" | "data" | "post-data";

/** Of archive version 1.x. 1.15 names the method of compression, 1.16 has the kind of a relation and large objects in groups. */
export type ArchiveMinor = 14 | 15 | 16;

export type ArchiveToc = {
  readonly minor: ArchiveMinor;
  readonly database: string;
  readonly serverVersion: string;
  readonly dumpVersion: string;
  readonly entries: readonly TocEntry[];
  /** Creation date and names of the header, as read. */
  readonly headerTail: Buffer;
};

/** The pg_dumps that write the archive versions which are read here. */
export const supportedArchives = { oldestMajor: 12, newestMajor: 18 } as const;

const magic = "PGDMP";
const supportedMinors: readonly number[] = [14, 15, 16] satisfies readonly ArchiveMinor[];
const isSupportedMinor = (minor: number): minor is ArchiveMinor => supportedMinors.includes(minor);
const intBytes = 4;
const offsetBytes = 8;
/** Of the header's format byte: a directory archive says tar in its toc.dat, as pg_dump itself writes it. */
const customFormat = 1;
const directoryTocFormat = 3;

const sections: readonly TocSection[] = ["none", "none", "pre-data", "data", "post-data"];

/** Thrown inside, when the bytes so far end in the middle of something. */
class Incomplete extends Error {}

class Cursor {
  readonly #bytes: Buffer;
  position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    const end = this.position + length;
    if (end > this.#bytes.length) throw new Incomplete();
    const slice = this.#bytes.subarray(this.position, end);
    this.position = end;
    return slice;
  }

  byte(): number {
    return this.take(1).readUInt8();
  }

  /** A sign byte, then the magnitude, least significant byte first. */
  int(): number {
    const negative = this.byte() !== 0;
    const magnitude = this.take(intBytes).readUInt32LE();
    return negative ? -magnitude : magnitude;
  }

  /** Null is length -1. */
  text(): string | null {
    const length = this.int();
    return length < 0 ? null : this.take(length).toString("utf8");
  }

  since(start: number): Buffer {
    return this.#bytes.subarray(start, this.position);
  }
}

const damaged = (why: string): RefloatError =>
  new RefloatError("program.failed", `the output of pg_dump cannot be read: ${why}`);

const unsupportedVersion = (version: string): RefloatError =>
  new RefloatError(
    "program.version",
    `pg_dump wrote an archive of version ${version}; this version of Refloat reads 1.14 to 1.16`,
    {
      hint: `these are the archives of pg_dump ${supportedArchives.oldestMajor} to ${supportedArchives.newestMajor}`,
    },
  );

type Header = Omit<ArchiveToc, "entries"> & { readonly entryCount: number };

const readHeader = (cursor: Cursor): Header => {
  if (cursor.take(magic.length).toString("latin1") !== magic) throw damaged("it is not an archive");
  const [major, minor] = [cursor.byte(), cursor.byte()];
  cursor.byte();
  if (major !== 1 || !isSupportedMinor(minor)) throw unsupportedVersion(`${major}.${minor}`);
  const [intSize, offsetSize, format] = [cursor.byte(), cursor.byte(), cursor.byte()];
  if (intSize !== intBytes || offsetSize !== offsetBytes)
    throw damaged(`integers of ${intSize} bytes are not expected`);
  if (format !== customFormat && format !== directoryTocFormat) throw damaged(`format ${format} is not expected`);
  // The level before 1.15, the method since then; none is 0 in both.
  const compression = minor < 15 ? cursor.int() : cursor.byte();
  if (compression !== 0) throw damaged(`compression ${compression} is not expected`);
  const tailStart = cursor.position;
  for (let field = 0; field < 7; field += 1) cursor.int();
  const database = cursor.text() ?? "";
  const serverVersion = cursor.text() ?? "";
  const dumpVersion = cursor.text() ?? "";
  const headerTail = Buffer.from(cursor.since(tailStart));
  return { minor, database, serverVersion, dumpVersion, headerTail, entryCount: cursor.int() };
};

const readNumber = (text: string | null): number => Number(text ?? "0");

const readEntryBody = (cursor: Cursor, minor: ArchiveMinor): TocEntry => {
  const start = cursor.position;
  const dumpId = cursor.int();
  const hasData = cursor.int() !== 0;
  const tableOid = readNumber(cursor.text());
  const oid = readNumber(cursor.text());
  const tag = cursor.text() ?? "";
  const kind = cursor.text() ?? "";
  const section = sections[cursor.int()] ?? "none";
  const begin = cursor.position - start;
  const definition = cursor.text() ?? "";
  const definitionAt = { begin, end: cursor.position - start };
  cursor.text(); // drop statement
  const copyStatement = cursor.text() ?? "";
  const schema = cursor.text() ?? "";
  const tablespace = cursor.text() ?? "";
  cursor.text(); // table access method
  if (minor >= 16) cursor.int(); // kind of the relation
  const owner = cursor.text() ?? "";
  cursor.text(); // with oids
  const dependencies: number[] = [];
  for (let next = cursor.text(); next !== null; next = cursor.text()) dependencies.push(Number(next));
  const raw = Buffer.from(cursor.since(start));
  return {
    dumpId,
    hasData,
    tableOid,
    oid,
    tag,
    kind,
    section,
    definition,
    copyStatement,
    schema,
    tablespace,
    owner,
    dependencies,
    raw,
    definitionAt,
  };
};

/** Reads a custom-format archive piece by piece until its table of contents is whole. */
export class TocReader {
  #pending: Buffer = Buffer.alloc(0);
  #header: Header | undefined;
  readonly #entries: TocEntry[] = [];
  readonly #extra: "offset" | "filename";

  /** @param extra what follows each entry: an offset in the custom format, a file name in toc.dat */
  constructor(extra: "offset" | "filename" = "offset") {
    this.#extra = extra;
  }

  /** @returns the whole table of contents as soon as it is there; bytes after it are ignored. @throws RefloatError program.version, program.failed */
  push(chunk: Uint8Array): ArchiveToc | undefined {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const cursor = new Cursor(this.#pending);
    let consumed = 0;
    try {
      if (this.#header === undefined) {
        this.#header = readHeader(cursor);
        consumed = cursor.position;
      }
      while (this.#entries.length < this.#header.entryCount) {
        const entry = readEntryBody(cursor, this.#header.minor);
        if (this.#extra === "offset") cursor.take(1 + offsetBytes);
        else cursor.text();
        this.#entries.push(entry);
        consumed = cursor.position;
      }
      const { entryCount: _count, ...header } = this.#header;
      return { ...header, entries: this.#entries };
    } catch (error) {
      if (!(error instanceof Incomplete)) throw error;
      this.#pending = this.#pending.subarray(consumed);
      return undefined;
    }
  }
}

const writeInt = (value: number): Buffer => {
  const bytes = Buffer.alloc(1 + intBytes);
  bytes.writeUInt8(value < 0 ? 1 : 0);
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
};

const writeText = (text: string): Buffer => {
  const bytes = Buffer.from(text, "utf8");
  return Buffer.concat([writeInt(bytes.length), bytes]);
};

/** The same entry with another definition. */
export const redefine = (entry: TocEntry, definition: string): TocEntry => {
  const { begin, end } = entry.definitionAt;
  const text = writeText(definition);
  return {
    ...entry,
    definition,
    raw: Buffer.concat([entry.raw.subarray(0, begin), text, entry.raw.subarray(end)]),
    definitionAt: { begin, end: begin + text.length },
  };
};

/** Name of the file that lists the large objects of a `BLOBS` entry: before 1.16 there is one such entry for all of them. */
export const blobListName = ({ minor }: Pick<ArchiveToc, "minor">, { dumpId }: Pick<TocEntry, "dumpId">): string =>
  minor < 16 ? "blobs.toc" : `blobs_${dumpId}.toc`;

/** Name of the file that holds the rows of an entry of them. */
export const rowsFileName = ({ dumpId }: Pick<TocEntry, "dumpId">): string => `${dumpId}.dat`;

const dataFileName = (toc: ArchiveToc, entry: TocEntry): string => {
  if (entry.kind === "BLOBS") return blobListName(toc, entry);
  return entry.hasData ? rowsFileName(entry) : "";
};

/** The bytes of `toc.dat` of a directory-format archive whose data files are not compressed. */
export const formatDirectoryToc = (toc: ArchiveToc): Buffer =>
  Buffer.concat([
    Buffer.from(magic, "latin1"),
    Buffer.from([1, toc.minor, 0, intBytes, offsetBytes, directoryTocFormat]),
    toc.minor < 15 ? writeInt(0) : Buffer.from([0]),
    toc.headerTail,
    writeInt(toc.entries.length),
    ...toc.entries.flatMap((entry) => [entry.raw, writeText(dataFileName(toc, entry))]),
  ]);

/** @throws RefloatError program.version, program.failed when the bytes are not a whole toc.dat */
export const parseDirectoryToc = (bytes: Uint8Array): ArchiveToc => {
  const toc = new TocReader("filename").push(bytes);
  if (toc === undefined) throw damaged("toc.dat ends too early");
  return toc;
};
