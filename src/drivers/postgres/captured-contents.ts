/** Tables of a captured database, for people who want one of them: from the point alone, without a server. */
import { createHash } from "node:crypto";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { CapturedContents, CapturedTable } from "../../core/ports/driver.ts";
import type { TreeReader } from "../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ArchiveToc, type TocEntry, rowsFileName, parseDirectoryToc } from "./archive-toc.ts";
import { capturedDetailSchema, largeObjectsUnit } from "./captured-detail.ts";
import { withoutTrailer } from "./copy-streams.ts";
import { copyTextToCsv } from "./copy-text-to-csv.ts";
import { readColumns } from "./copy-columns.ts";

const newline = 0x0a;

const tablesOf = ({ facts }: CapturedComponent): readonly CapturedTable[] =>
  Object.entries(facts.units).map(([name, { rows, sizeBytes, sha256 }]) => ({
    name,
    // Schema public is left out of the names of facts; a dot inside a quoted name parts nothing.
    aliases: name === largeObjectsUnit || name.replaceAll(/"[^"]*"/g, "").includes(".") ? [] : [`public.${name}`],
    rows: rows ?? null,
    sizeBytes: sizeBytes ?? null,
    sha256: sha256 ?? null,
    hasRows: name !== largeObjectsUnit,
  }));

const readToc = async (tree: TreeReader, root: string): Promise<ArchiveToc> => {
  const file = await tree.entry(`${root}/toc.dat`);
  if (file === undefined) throw new RefloatError("point.damaged", `the point has no ${root}/toc.dat`);
  const parts: Uint8Array[] = [];
  for await (const part of tree.content(file)) parts.push(part);
  return parseDirectoryToc(Buffer.concat(parts));
};

/** The archive's entry of a table's rows, among all of its entries. */
export const openEntryOf = async (
  tree: TreeReader,
  captured: CapturedComponent,
  table: CapturedTable,
): Promise<{ readonly entry: TocEntry; readonly entries: readonly TocEntry[] }> => {
  const detail = capturedDetailSchema.pick({ labels: true }).safeParse(captured.facts.detail);
  const labels = detail.success ? detail.data.labels : {};
  const toc = await readToc(tree, captured.path);
  const found = toc.entries.find(({ dumpId, kind }) => kind === "TABLE DATA" && labels[String(dumpId)] === table.name);
  if (found === undefined) {
    throw new RefloatError("source.unsupported", `${table.name} is no table with rows of its own`, {
      hint: "the component as a whole is a pg_dump archive: extract it --to a folder",
    });
  }
  return { entry: found, entries: toc.entries };
};

/** Passes on what is as it was captured; whoever reads to the end knows that all of it was. */
async function* asCaptured(source: ByteStream, table: CapturedTable): ByteStream {
  const hash = createHash("sha256");
  let rows = 0;
  const hashed = async function* (): ByteStream {
    for await (const chunk of source) {
      hash.update(chunk);
      yield chunk;
    }
  };
  for await (const chunk of withoutTrailer(hashed(), table.name)) {
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) rows += 1;
    yield chunk;
  }
  const differs =
    (table.sha256 !== null && hash.digest("hex") !== table.sha256) || (table.rows !== null && rows !== table.rows);
  if (!differs) return;
  throw new RefloatError("vault.damaged", `the rows of ${table.name} are not those that were captured`, {
    context: { table: table.name, rows, captured: table.rows },
    state: "what was written so far is not to be used",
  });
}

/** Files of rows are named by dump id, and so are the labels of the facts: told without the archive, which may be what is damaged. */
const tableAt: CapturedContents["tableAt"] = (captured, path) => {
  const detail = capturedDetailSchema.pick({ labels: true }).safeParse(captured.facts.detail);
  const dumpId = /\/(?<dumpId>\d+)\.dat$/.exec(path)?.groups?.["dumpId"];
  return (detail.success && dumpId !== undefined ? detail.data.labels[dumpId] : undefined) ?? null;
};

/** The rows of one table as COPY text, the columns that they have, in their order, and the statement that made the table. */
export const openRows = async (
  tree: TreeReader,
  captured: CapturedComponent,
  table: CapturedTable,
): Promise<{ readonly columns: readonly string[]; readonly text: ByteStream; readonly definition: string }> => {
  const { entry, entries } = await openEntryOf(tree, captured, table);
  const path = `${captured.path}/${rowsFileName(entry)}`;
  const file = await tree.entry(path);
  if (file === undefined) throw new RefloatError("point.damaged", `the point has no ${path} for ${table.name}`);
  const definition = entries.find(({ kind, oid }) => kind === "TABLE" && oid === entry.oid)?.definition ?? "";
  return { columns: readColumns(entry.copyStatement), text: asCaptured(tree.content(file), table), definition };
};

export const postgresContents: CapturedContents = {
  whole: { words: "as pg_restore reads it", suffix: ".dump" },
  tables: tablesOf,
  tableAt,
  rows: async function* rows(tree, captured, { table, format, signal }) {
    const { columns, text } = await openRows(tree, captured, table);
    for await (const chunk of format === "copy" ? text : copyTextToCsv(text, columns)) {
      signal.throwIfAborted();
      yield chunk;
    }
  },
};
