/** A short look at databases, before anything is done with them: do they open, what do they need. */
import { statSync } from "node:fs";
import { type NamedDatabase, named, openToRead, valueOf } from "./open-database.ts";
import { readTableShapes } from "./table-shapes.ts";

export type LookRequest = { readonly databases: readonly NamedDatabase[]; readonly busyTimeoutMs: number };

export type DatabaseLook = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly journalMode: string;
  readonly tables: number;
  readonly unreadable: readonly { readonly name: string; readonly why: string }[];
};

export const lookAtDatabases = ({ databases, busyTimeoutMs }: LookRequest): readonly DatabaseLook[] =>
  databases.map(({ name, path }) =>
    named(path, busyTimeoutMs, () => {
      const database = openToRead(path, busyTimeoutMs);
      try {
        const { tables, unreadable } = readTableShapes(database);
        const journalMode = String(valueOf(database, "PRAGMA main.journal_mode"));
        return { name, sizeBytes: statSync(path).size, journalMode, tables: tables.length, unreadable };
      } finally {
        database.close();
      }
    }),
  );
