/**
 * A first guess at which files hold a table, from the catalogs as they lie in the capture: their rows are read without a server, dead ones and those of
 * transactions that never committed included. What is guessed is asked of the server afterwards, so that a guess that misses costs a second attempt and
 * nothing else. Form: utils/cache/relmapper.c and catalog/pg_class.h, alike in PostgreSQL 15 to 18.
 */
import { type CapturedFile, readWhole } from "./captured-files.ts";
import { type RawRow, rawRows } from "./heap-pages.ts";

const nameBytes = 64;

const nameAt = (row: Buffer, at: number): string => {
  const field = row.subarray(at, at + nameBytes);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? nameBytes : end).toString("utf8");
};

/** Catalogs that the server has to find before it can read any: their files are named in a map. */
const mapHeader = { magic: 0x592717, magicAt: 0, countAt: 4, firstAt: 8, eachBytes: 8 } as const;

const readMap = (content: Buffer): ReadonlyMap<number, number> => {
  if (content.length < mapHeader.firstAt || content.readUInt32LE(mapHeader.magicAt) !== mapHeader.magic)
    return new Map();
  const count = Math.min(
    content.readUInt32LE(mapHeader.countAt),
    Math.floor((content.length - mapHeader.firstAt) / mapHeader.eachBytes),
  );
  return new Map(
    Array.from({ length: count }, (_, index) => {
      const at = mapHeader.firstAt + index * mapHeader.eachBytes;
      return [content.readUInt32LE(at), content.readUInt32LE(at + 4)] as const;
    }),
  );
};

type RawRelation = {
  readonly oid: number;
  readonly name: string;
  readonly namespace: number;
  readonly filenode: number;
  /** As in `pg_class.relkind`. */
  readonly kind: string;
};

/** What `FormData_pg_class` begins with. */
const inClass = { oid: 0, name: 4, namespace: 68, filenode: 88, end: 120 } as const;
/** 18 has one number more before it. */
const kindInClass = (major: number): number => (major < 18 ? 115 : 119);
const inNamespace = { oid: 0, name: 4, end: 68 } as const;
const inInherits = { child: 0, parent: 4, end: 8 } as const;
const inRoles = { oid: 0, name: 4, isSuperuser: 68, end: 69 } as const;
const inDatabases = { oid: 0, name: 4, end: 68 } as const;

const catalogs = { roles: 1260, databases: 1262, classes: 1259, inherits: 2611, namespaces: 2615 } as const;

/** `pg_largeobject` and its index: no table needs them, and they may be larger than all tables. */
const largeObjects: ReadonlySet<number> = new Set([2613, 2683]);

/** What `initdb` makes has a lower number, and so have the files of catalogs that were never rewritten. */
export const firstOwnNumber = 16_384;

export type RawCatalog = {
  /** Numbers of the files of system catalogs, without those of large objects. */
  readonly system: ReadonlySet<number>;
  readonly relations: readonly RawRelation[];
  readonly namespaces: readonly { readonly oid: number; readonly name: string }[];
  readonly inherits: readonly { readonly child: number; readonly parent: number }[];
};

const mapIn = async (files: readonly CapturedFile[], path: RegExp) => {
  const found = files.find((file) => path.test(file.path));
  return found === undefined ? new Map<number, number>() : readMap(await readWhole(found.content()));
};

/** @param database its OID */
export const readRawCatalog = async (
  files: readonly CapturedFile[],
  database: string,
  major: number,
): Promise<RawCatalog> => {
  const own = files.filter(({ relation }) => relation?.database === database && relation.isMain);
  async function* rowsOf(filenodes: ReadonlySet<number>, leastBytes: number): AsyncGenerator<Buffer> {
    for (const { content, relation } of own) {
      if (!filenodes.has(relation?.filenode ?? 0)) continue;
      for await (const { data } of rawRows(content())) if (data.length >= leastBytes) yield data;
    }
  }
  const map = await mapIn(files, new RegExp(`^(?:base|PG_\\d+_\\d+)/${database}/pg_filenode\\.map$`));
  const relations: RawRelation[] = [];
  for await (const row of rowsOf(new Set([map.get(catalogs.classes) ?? catalogs.classes]), inClass.end))
    relations.push({
      oid: row.readUInt32LE(inClass.oid),
      name: nameAt(row, inClass.name),
      namespace: row.readUInt32LE(inClass.namespace),
      filenode: row.readUInt32LE(inClass.filenode),
      kind: String.fromCharCode(row.readUInt8(kindInClass(major))),
    });
  const filenodesOf = (oid: number): ReadonlySet<number> =>
    new Set([oid, ...relations.filter((one) => one.oid === oid).map(({ filenode }) => filenode)]);
  const namespaces: { oid: number; name: string }[] = [];
  for await (const row of rowsOf(filenodesOf(catalogs.namespaces), inNamespace.end))
    namespaces.push({ oid: row.readUInt32LE(inNamespace.oid), name: nameAt(row, inNamespace.name) });
  const inherits: { child: number; parent: number }[] = [];
  for await (const row of rowsOf(filenodesOf(catalogs.inherits), inInherits.end))
    inherits.push({ child: row.readUInt32LE(inInherits.child), parent: row.readUInt32LE(inInherits.parent) });
  const left = new Set([...largeObjects].flatMap((oid) => [...filenodesOf(oid)]));
  const system = new Set([
    ...map.values(),
    ...own.map(({ relation }) => relation?.filenode ?? 0).filter((filenode) => filenode < firstOwnNumber),
    ...relations.filter(({ oid }) => oid < firstOwnNumber).map(({ filenode }) => filenode),
  ]);
  for (const filenode of left) system.delete(filenode);
  return { system, relations, namespaces, inherits };
};

/** Schemas that a name without one may be in: `public` where that has such a table. */
const namespacesFor = (catalog: RawCatalog, schema: string | null, table: string | null): ReadonlySet<number> => {
  const called = (name: string): ReadonlySet<number> =>
    new Set(catalog.namespaces.filter((one) => one.name === name).map(({ oid }) => oid));
  if (schema !== null) return called(schema);
  const having = new Set(catalog.relations.filter(({ name }) => name === table).map(({ namespace }) => namespace));
  const common = called("public");
  return [...common].some((namespace) => having.has(namespace)) ? common : having;
};

/**
 * Files of one table (or of a whole schema when `table` is null), its partitions, what both keep out of line, and sequences that are named for them.
 */
export const guessFilenodes = (
  catalog: RawCatalog,
  { schema, table }: { readonly schema: string | null; readonly table: string | null },
): ReadonlySet<number> => {
  const namespaces = namespacesFor(catalog, schema, table);
  const wanted = new Set(
    catalog.relations
      .filter(({ name, namespace, kind }) =>
        table === null
          ? namespaces.has(namespace) && !/^[iI]$/.test(kind)
          : namespaces.has(namespace) && name === table,
      )
      .map(({ oid }) => oid),
  );
  for (let before = -1; before !== wanted.size;) {
    before = wanted.size;
    for (const { child, parent } of catalog.inherits) if (wanted.has(parent)) wanted.add(child);
  }
  const outOfLine = new Set([...wanted].flatMap((oid) => [`pg_toast_${oid}`, `pg_toast_${oid}_index`]));
  const isSequenceOf = ({ name, namespace }: RawRelation): boolean =>
    table !== null && namespaces.has(namespace) && name.startsWith(`${table}_`) && name.endsWith("_seq");
  return new Set(
    catalog.relations
      .filter((one) => wanted.has(one.oid) || outOfLine.has(one.name) || isSequenceOf(one))
      .map(({ filenode }) => filenode)
      .filter((filenode) => filenode !== 0),
  );
};

/** Files of what tables that are known by their files keep out of line. @param relations by `relationKey` */
export const outOfLineOf = ({ relations: all }: RawCatalog, relations: ReadonlySet<string>): ReadonlySet<number> => {
  const filenodes = new Set([...relations].map((key) => Number(key.split("/").at(-1))));
  const names = new Set(
    all
      .filter(({ filenode }) => filenodes.has(filenode))
      .flatMap(({ oid }) => [`pg_toast_${oid}`, `pg_toast_${oid}_index`]),
  );
  return new Set(all.filter(({ name, filenode }) => names.has(name) && filenode !== 0).map(({ filenode }) => filenode));
};

/** Rows of a catalog that all databases share, at least so long. */
async function* sharedRows(files: readonly CapturedFile[], oid: number, leastBytes: number): AsyncGenerator<RawRow> {
  const map = await mapIn(files, /^global\/pg_filenode\.map$/);
  const path = `global/${map.get(oid) ?? oid}`;
  const found = files.find((file) => file.tablespace === null && file.path === path);
  if (found === undefined) return;
  for await (const row of rawRows(found.content())) if (row.data.length >= leastBytes) yield row;
}

/** Roles that may read everything; the one that `initdb` made comes first. */
export const readSuperusers = async (files: readonly CapturedFile[]): Promise<readonly string[]> => {
  const roles: { oid: number; name: string }[] = [];
  for await (const { data: row } of sharedRows(files, catalogs.roles, inRoles.end))
    if (row.readUInt8(inRoles.isSuperuser) === 1)
      roles.push({ oid: row.readUInt32LE(inRoles.oid), name: nameAt(row, inRoles.name) });
  const names = roles.sort((a, b) => a.oid - b.oid).map(({ name }) => name);
  return [...new Set([...names, "postgres"])];
};

/** Databases by their OIDs, dropped ones included: whether there is one its files tell. */
export const readDatabases = async (files: readonly CapturedFile[]): Promise<ReadonlyMap<string, string>> => {
  const names = new Map<string, string>();
  const ended = new Map<string, string>();
  for await (const { data, isEnded } of sharedRows(files, catalogs.databases, inDatabases.end))
    (isEnded ? ended : names).set(String(data.readUInt32LE(inDatabases.oid)), nameAt(data, inDatabases.name));
  return new Map([...ended, ...names]);
};
