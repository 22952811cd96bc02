/** Rows that come as COPY text, put back into a PostgreSQL database, whichever driver has them. */
import { compareTable, proposeRows } from "../../../core/mend/propose-rows.ts";
import type { CopiedRowMending, TableName } from "../../../platform/postgres/copied-rows.ts";
import { TocReader } from "../archive-toc.ts";
import { labelSql, ofUsersSql } from "../catalog-sql.ts";
import { applyScript } from "./apply-script.ts";
import { droppedTable } from "./dropped-table.ts";
import { onPostgresStage } from "./postgres-stage.ts";

const namesSql = `
  select ${labelSql("c", "n")} as label, n.nspname as schema, c.relname as name, c.relkind = 'p' as "isPartitioned"
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') and ${ofUsersSql}`;

export const copiedRowMending: CopiedRowMending = {
  names: (session) => session.query<TableName>(namesSql),
  define: async (archive, { schema, name, label }) => {
    const reader = new TocReader();
    for await (const piece of archive) {
      const toc = reader.push(piece);
      if (toc === undefined) continue;
      const table = toc.entries.find(
        (entry) => entry.kind === "TABLE" && entry.schema === schema && entry.tag === name,
      );
      return table === undefined ? null : droppedTable(toc.entries, table, label);
    }
    return null;
  },
  compare: (session, source, label) => onPostgresStage(session, source, (stage) => compareTable(stage, label)),
  propose: (session, source, request, proposing) =>
    onPostgresStage(session, source, (stage) => proposeRows(stage, request, proposing)),
  apply: applyScript,
};
