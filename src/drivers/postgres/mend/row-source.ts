/** Where rows come from that are put back: a point, or what was written to a side that is kept. Table by table, as COPY text. */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { KeptSideSource, MendSource, PointSource } from "../../../core/ports/row-mending.ts";
import { requireLoadable } from "../../../core/mend/loadable-size.ts";
import { capturedDetailSchema } from "../captured-detail.ts";
import { openEntryOf, openRows } from "../captured-contents.ts";
import { copyOut } from "../../../platform/postgres/copy-out.ts";
import { quoteName } from "../instance-names.ts";
import { differingType } from "./column-type.ts";
import type { RowSource } from "../../../platform/postgres/copied-rows.ts";
import { droppedTable } from "./dropped-table.ts";
import type { PostgresContext } from "../postgres-context.ts";
import { type WrittenSide, withWrittenSide } from "../written-side.ts";

const pointRows = ({ tree, captured, tables, words }: PointSource): RowSource => ({
  words,
  whole: true,
  labels: tables.filter(({ hasRows }) => hasRows).map(({ name }) => name),
  open: async (label) => {
    const table = tables.find(({ name }) => name === label);
    if (table === undefined) return null;
    requireLoadable(label, table.sizeBytes);
    const { encoding } = capturedDetailSchema.parse(captured.facts.detail);
    const { columns, text, definition } = await openRows(tree, captured, table);
    const otherType = (column: string, type: string) => differingType(definition, column, type);
    return { columns, text, count: table.rows, encoding, otherType };
  },
  define: async (label) => {
    const table = tables.find(({ name }) => name === label);
    if (table === undefined) return null;
    const { entry, entries } = await openEntryOf(tree, captured, table);
    return droppedTable(entries, entry, label);
  },
});

async function* sealed({ bytes, seal }: ReturnType<typeof copyOut>): ByteStream {
  yield* bytes;
  await seal();
}

/** A partitioned table is its partitions here, as rows are put back into them. */
const keptRows = async (side: WrittenSide, { words }: KeptSideSource): Promise<RowSource> => {
  const { session, predicate, tables } = side;
  const scanOf = await side.scan();
  const parts = new Map(
    tables
      .filter((table) => scanOf(table).written > 0)
      .flatMap(({ columns, parts: of }) => of.map(({ label, from }) => [label, { columns, from }] as const)),
  );
  return {
    words,
    whole: false,
    labels: [...parts.keys()],
    open: async (label) => {
      const part = parts.get(label);
      if (part === undefined) return null;
      const columns = part.columns.map(({ name }) => name);
      const written = predicate === null ? "" : ` where ${predicate}`;
      const rows = `select ${columns.map(quoteName).join(", ")} from ${part.from}${written}`;
      const otherType = (column: string, type: string): string | null => {
        const own = part.columns.find(({ name }) => name === column)?.type;
        return own === undefined || own === type ? null : own;
      };
      return {
        columns,
        encoding: "UTF8",
        count: null,
        text: sealed(copyOut(session, `copy (${rows}) to stdout`)),
        otherType,
      };
    },
    define: async () => null,
  };
};

export const withRowSource = async <Result>(
  context: PostgresContext,
  source: MendSource,
  act: (rows: RowSource) => Promise<Result>,
): Promise<Result> =>
  "tree" in source
    ? act(pointRows(source))
    : withWrittenSide(context, { location: source.side, since: source.madeAt ?? source.since }, async (side) =>
        act(await keptRows(side, source)),
      );
