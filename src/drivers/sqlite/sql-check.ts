/** The sql check of databases in files: one query that answers true, asked of whatever stands for the component, read-only. */
import { join } from "node:path";
import { type SqlCheckOptions, judgeAnswer, sqlCheckOptionsSchema } from "../../core/components/sql-answer.ts";
import type { CheckContext, CheckDriver, Outputs } from "../../core/ports/driver.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { runTask } from "./run-task.ts";

const isSqlite = ({ url, path }: Outputs): boolean => path !== undefined && url?.value.startsWith("file:") === true;

const databasesOf = ({ path, databases }: Outputs) => {
  const root = path?.value ?? "";
  return databases === undefined
    ? [{ name: root, path: root }]
    : databases.value.split("\n").map((name) => ({ name, path: join(root, name) }));
};

const runSqlCheck = async (context: CheckContext, options: SqlCheckOptions): Promise<CheckOutcome> => {
  const bound = await context.bind(options.sql);
  const beganMs = context.clock.monotonicMs();
  const outcome = (status: "passed" | "failed", found: string): CheckOutcome => ({
    subject: `sql: ${bound.secret ? options.sql : bound.value}`,
    kind: "sql",
    ...(context.component === null ? {} : { component: context.component }),
    status,
    found,
    durationMs: context.clock.monotonicMs() - beganMs,
  });
  const limit = AbortSignal.timeout(context.timeoutMs);
  try {
    const { marker, signal } = context;
    const answer = await runTask({ marker, signal: AbortSignal.any([signal, limit]) }, "ask", {
      databases: databasesOf(context.outputs),
      sql: bound.value,
      busyTimeoutMs: context.timeoutMs,
    });
    const { ok, found } = judgeAnswer(answer);
    return outcome(ok ? "passed" : "failed", found);
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted) return outcome("failed", `no answer in ${context.timeoutMs / 1_000} s`);
    if (error instanceof RefloatError && error.code !== "bug") return outcome("failed", error.message);
    throw error;
  }
};

export const sqliteSqlCheck: CheckDriver<SqlCheckOptions> = {
  kind: "sql",
  summary: "A query of the component's own database answers true.",
  options: sqlCheckOptionsSchema,
  answers: isSqlite,
  run: runSqlCheck,
};
