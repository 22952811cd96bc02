/** One side of an invariant: the values of a query's only column, one per line, nulls left out. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import { streamTask } from "./run-task.ts";
import { type SqliteContext, busyTimeoutOf } from "./sqlite-options.ts";
import { databasesAt } from "./writes.ts";

/** @throws RefloatError config.invalid for more than one column, source.* as SQLite says */
export async function* sqliteInvariantValues(
  context: SqliteContext,
  expression: string,
  location: string | null,
): ByteStream {
  yield* streamTask(context, "values", {
    databases: await databasesAt(context, location),
    sql: expression,
    busyTimeoutMs: busyTimeoutOf(context),
  });
}
