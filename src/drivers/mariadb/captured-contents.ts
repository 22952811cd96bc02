/** Tables of a captured database, for people who want one of them: from the point alone, without a server. */
import type { CapturedContents } from "../../core/ports/driver.ts";
import { capturedDetailSchema } from "./captured-detail.ts";
import { openDumpedTable } from "./dumped-table.ts";
import { formatRows } from "./dumped-values.ts";

export const mariadbContents: CapturedContents = {
  whole: {
    words: "as a folder of SQL (cat head.sql tables/*.sql tail.sql code.sql | mariadb NEW_DATABASE)",
    suffix: ".sql.d",
  },
  tables: ({ facts }) =>
    Object.entries(facts.units).map(([name, { rows, sizeBytes, sha256 }]) => ({
      name,
      aliases: [],
      rows: rows ?? null,
      sizeBytes: sizeBytes ?? null,
      sha256: sha256 ?? null,
      hasRows: true,
    })),
  tableAt: ({ facts, path: root }, path) => {
    const detail = capturedDetailSchema.pick({ tables: true }).safeParse(facts.detail);
    if (!detail.success) return null;
    const found = Object.entries(detail.data.tables).find(([, { file }]) => `${root}/${file}` === path);
    return found?.[1].kind === "table" ? found[0] : null;
  },
  rows: async function* rows(tree, captured, { table, format, signal }) {
    const { shape, lines } = await openDumpedTable(tree, captured, table);
    const columns = shape.columns.map(({ name }) => name);
    for await (const chunk of formatRows(lines, columns, format)) {
      signal.throwIfAborted();
      yield chunk;
    }
  },
};
