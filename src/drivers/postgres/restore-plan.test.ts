import { expect, test } from "vitest";
import type { ArchiveToc, TocEntry } from "./archive-toc.ts";
import { listBlobGroups } from "./capture-blobs.ts";
import { referringColumns } from "./foreign-key-join.ts";
import { formatRestoreList, planRestore } from "./restore-plan.ts";

const entry = (dumpId: number, kind: string, tag: string, changes: Partial<TocEntry> = {}): TocEntry => ({
  dumpId,
  kind,
  tag,
  hasData: false,
  tableOid: 0,
  oid: 0,
  section: "none",
  definition: "",
  copyStatement: "",
  schema: "public",
  tablespace: "",
  owner: "",
  dependencies: [],
  raw: Buffer.alloc(0),
  definitionAt: { begin: 0, end: 0 },
  ...changes,
});

const post = (dumpId: number, kind: string, tag: string, dependencies: number[]) =>
  entry(dumpId, kind, tag, { section: "post-data", dependencies });

const entries = [
  entry(1, "ENCODING", "ENCODING", { section: "pre-data" }),
  entry(2, "DATABASE", "shop", { section: "pre-data" }),
  entry(3, "DATABASE PROPERTIES", "shop", { section: "pre-data" }),
  entry(4, "COMMENT", "DATABASE shop"),
  entry(5, "SCHEMA", "app", { section: "pre-data" }),
  entry(6, "FUNCTION", "looks_elsewhere(text)", { section: "pre-data" }),
  entry(10, "TABLE", "orders", { section: "pre-data", oid: 500, dependencies: [5] }),
  entry(11, "TABLE DATA", "orders", { section: "data", oid: 500, dependencies: [10] }),
  entry(12, "TABLE DATA", "of_extension", { section: "data", oid: 600 }),
  entry(13, "SEQUENCE SET", "orders_id_seq", { section: "data" }),
  entry(14, "BLOBS", "BLOBS", { section: "data", hasData: true }),
  post(20, "CONSTRAINT", "orders orders_pkey", [10, 10]),
  post(21, "INDEX", "orders_two_columns", [10, 10, 5]),
  post(22, "INDEX", "orders_by_function", [10, 6]),
  post(23, "INDEX", "of_a_materialised_view", [99]),
  post(24, "FK CONSTRAINT", "orders orders_self_fkey", [10, 20]),
  post(27, "FK CONSTRAINT", "orders orders_partitioned_fkey", [10, 98]),
  post(25, "TRIGGER", "orders t", [10]),
  entry(98, "CONSTRAINT", "of_a_partitioned_table", { section: "post-data", dependencies: [97] }),
  entry(97, "TABLE", "partitioned", { section: "pre-data", oid: 700 }),
  entry(26, "ACL", "TABLE orders", { dependencies: [10] }),
];

const toc: ArchiveToc = {
  minor: 14,
  database: "shop",
  serverVersion: "15",
  dumpVersion: "15",
  headerTail: Buffer.alloc(0),
  entries,
};

const ids = (list: readonly TocEntry[]): number[] => list.map(({ dumpId }) => dumpId);

test("keys and indexes that need their table only are built with it; everything else is pg_restore's, once", () => {
  const plan = planRestore(toc);
  expect(ids(plan.before)).toEqual([1, 5, 6, 10, 97]);
  expect(
    plan.tables.map(({ table, ownTable, constraints, indexes }) => [table, ownTable, ids(constraints), ids(indexes)]),
  ).toEqual([
    ['"public"."orders"', true, [20], [21]],
    ['"public"."of_extension"', false, [], []],
  ]);
  expect(ids(plan.sequenceValues)).toEqual([13]);
  expect(plan.blobLists).toEqual(["blobs.toc"]);
  expect(ids(plan.after)).toEqual([22, 23, 27, 25, 98, 26]);
  expect(plan.foreignKeys.map(({ entry, tables }) => [entry.dumpId, ...tables])).toEqual([
    [24, '"public"."orders"', '"public"."orders"'],
  ]);
  expect(formatRestoreList(plan.after)).toMatch(/^22; INDEX\n/);
});

test("large objects in groups, as archives have them since 1.16, are made before the rows and have a list each", () => {
  const grouped: ArchiveToc = {
    ...toc,
    minor: 16,
    entries: [
      entry(30, "BLOB METADATA", "1..2", { section: "data", definition: "1\n2\n" }),
      entry(31, "BLOBS", "1..2", { section: "data", hasData: true, dependencies: [30] }),
      entry(32, "BLOB METADATA", "9", { section: "data", definition: "9\n" }),
      entry(33, "BLOBS", "9", { section: "data", hasData: true, dependencies: [32] }),
      entry(34, "ACL", "LARGE OBJECTS 1..2"),
    ],
  };
  const plan = planRestore(grouped);
  expect(ids(plan.before)).toEqual([30, 32]);
  expect(plan.blobLists).toEqual(["blobs_31.toc", "blobs_33.toc"]);
  expect(ids(plan.after)).toEqual([34]);
  expect(listBlobGroups(grouped)).toEqual([
    { list: "blobs_31.toc", oids: [1, 2] },
    { list: "blobs_33.toc", oids: [9] },
  ]);
  const loose = { ...grouped, entries: grouped.entries.filter(({ dumpId }) => dumpId !== 33) };
  expect(() => listBlobGroups(loose)).toThrow(expect.objectContaining({ code: "program.failed" }));
});

test("what belongs to the database under its old name is in no part", () => {
  const plan = planRestore(toc);
  const all = [...plan.before, ...plan.after].map(({ dumpId }) => dumpId);
  expect(all.filter((id) => [2, 3, 4].includes(id))).toEqual([]);
});

test("the referring columns of a foreign key are read from its definition", () => {
  const definition = 'ALTER TABLE ONLY a.b\n    ADD CONSTRAINT c FOREIGN KEY (x, "o)dd, ""name") REFERENCES d(e, f);';
  expect(referringColumns(definition)).toEqual(["x", 'o)dd, "name']);
  expect(referringColumns("CHECK (x > 0)")).toEqual([]);
});
