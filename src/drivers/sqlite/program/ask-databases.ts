/** One question of a person to the databases of a component. Nothing can be written by it. */
import { type NamedDatabase, named, openTogether } from "./open-database.ts";

export type AskRequest = {
  readonly databases: readonly NamedDatabase[];
  readonly sql: string;
  readonly busyTimeoutMs: number;
};

export type Answered = {
  readonly columns: number;
  /** At most two, which is enough to tell one from several. Integers beyond what JSON holds, and blobs, as text. */
  readonly rows: readonly (readonly (string | number | null)[])[];
};

const plain = (value: unknown): string | number | null => {
  if (value === null || typeof value === "number" || typeof value === "string") return value;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return `\\x${Buffer.from(value as Uint8Array).toString("hex")}`;
};

export const askDatabases = ({ databases, sql, busyTimeoutMs }: AskRequest): Answered => {
  const where = databases.map(({ path }) => path).join(", ");
  const database = openTogether(databases, busyTimeoutMs);
  try {
    return named(where, busyTimeoutMs, () => {
      database.exec("PRAGMA query_only = ON");
      const statement = database.prepare(sql);
      statement.setReadBigInts(true);
      statement.setReturnArrays(true);
      const rows: unknown[][] = [];
      for (const row of statement.iterate() as unknown as Iterable<unknown[]>) {
        rows.push(row);
        if (rows.length === 2) break;
      }
      return { columns: statement.columns().length, rows: rows.map((row) => row.map(plain)) };
    });
  } finally {
    database.close();
  }
};
