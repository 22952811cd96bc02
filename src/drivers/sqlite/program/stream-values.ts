/** One side of an invariant: the values of a query's only column, one per line, nulls left out. */
import { RefloatError } from "../../../model/refloat-error.ts";
import { type NamedDatabase, named, openTogether } from "./open-database.ts";
import type { TaskIo } from "./task-io.ts";

export type ValuesRequest = {
  readonly databases: readonly NamedDatabase[];
  readonly sql: string;
  readonly busyTimeoutMs: number;
};

const chunkBytes = 65_536;

const lineOf = (value: unknown): string => {
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  // A newline inside a value would make two of it.
  return String(value).replaceAll("\n", String.raw`\n`);
};

export const streamValues = ({ databases, sql, busyTimeoutMs }: ValuesRequest, io: TaskIo): null => {
  const database = openTogether(databases, busyTimeoutMs);
  try {
    named(databases.map(({ path }) => path).join(", "), busyTimeoutMs, () => {
      database.exec("PRAGMA query_only = ON; BEGIN");
      const statement = database.prepare(sql);
      if (statement.columns().length !== 1)
        throw new RefloatError("config.invalid", `the query of an invariant has more than one column: ${sql}`);
      statement.setReadBigInts(true);
      statement.setReturnArrays(true);
      let lines: string[] = [];
      let length = 0;
      const flush = (): void => {
        if (length > 0) io.write(Buffer.from(lines.join("")));
        lines = [];
        length = 0;
      };
      for (const [value] of statement.iterate() as unknown as Iterable<readonly unknown[]>) {
        if (value === null) continue;
        const line = `${lineOf(value)}\n`;
        lines.push(line);
        length += line.length;
        if (length >= chunkBytes) flush();
      }
      flush();
    });
  } finally {
    database.close();
  }
  return null;
};
