/** The rows of one table of a file that nobody writes, as text; what was read is told with the hash that facts have. */
import { rmSync } from "node:fs";
import type { RowFormat } from "../../../core/ports/driver.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { named, openUnchanging, valueOf } from "./open-database.ts";
import { readRows, rowsSql } from "./read-rows.ts";
import { RowHash } from "./row-hash.ts";
import { createRowText } from "./row-text.ts";
import type { TaskIo } from "./task-io.ts";
import { fromTable, readTableShapes } from "./table-shapes.ts";

export type RowsRequest = {
  readonly path: string;
  /** Removed once the database is open, so that nothing stays of it whatever happens. */
  readonly folder: string;
  readonly table: string;
  readonly format: RowFormat;
};

const chunkBytes = 65_536;

export const streamRows = (
  { path, folder, table: name, format }: RowsRequest,
  io: TaskIo,
): { readonly rows: number; readonly sha256: string } =>
  named(name, 0, () => {
    const database = openUnchanging(path);
    rmSync(folder, { recursive: true, force: true });
    try {
      const { tables, unreadable } = readTableShapes(database);
      const table = tables.find((one) => one.name === name);
      if (table === undefined) {
        const why = unreadable.find((one) => one.name === name)?.why ?? "there is no such table";
        throw new RefloatError("source.unsupported", `the rows of ${name} cannot be read: ${why}`);
      }
      const { columns } = table;
      const text = createRowText(format, String(valueOf(database, "PRAGMA main.encoding")));
      const hash = new RowHash();
      let parts: Buffer[] = [text.header(columns)];
      let length = parts[0]?.length ?? 0;
      for (const row of readRows(database, rowsSql(columns, fromTable("main", table)), columns.length)) {
        hash.add(row);
        const line = text.row(row);
        parts.push(line);
        length += line.length;
        if (length < chunkBytes) continue;
        io.write(Buffer.concat(parts));
        parts = [];
        length = 0;
      }
      if (length > 0) io.write(Buffer.concat(parts));
      return hash.end();
    } finally {
      database.close();
    }
  });
