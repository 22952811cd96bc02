/** The sql check of a MariaDB database: one query that answers true, asked of whatever stands for the component, in a read-only transaction. */
import { type SqlCheckOptions, judgeAnswer, sqlCheckOptionsSchema } from "../../core/components/sql-answer.ts";
import type { CheckContext, CheckDriver, Outputs } from "../../core/ports/driver.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { parseMariadbUrl } from "./connection-target.ts";
import { errorNumberOf } from "./server-errors.ts";
import { askSql } from "./sql-client.ts";

const isMariadb = ({ url }: Outputs): boolean => url !== undefined && /^(?:mariadb|mysql):/.test(url.value);

/** max_statement_time was over. */
const timedOut = 1969;

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
  const seconds = context.timeoutMs / 1_000;
  try {
    const target = parseMariadbUrl(context.outputs["url"]?.value ?? "", "server");
    const signal = AbortSignal.any([context.signal, limit]);
    const rows = await askSql(
      { target, role: "source", marker: context.marker, signal },
      `SET SESSION sql_mode = DEFAULT, max_statement_time = ${seconds};\nSTART TRANSACTION READ ONLY;\n${bound.value.trim().replace(/;$/, "")}\n;`,
      target.database === "" ? undefined : target.database,
    );
    const answers = rows.map((row) => Object.values(row));
    const { ok, found } = judgeAnswer({ columns: answers[0]?.length ?? 1, rows: answers });
    return outcome(ok ? "passed" : "failed", found);
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted || errorNumberOf(error) === timedOut) return outcome("failed", `no answer in ${seconds} s`);
    if (error instanceof RefloatError && error.code !== "bug") return outcome("failed", error.message);
    throw error;
  }
};

export const mariadbSqlCheck: CheckDriver<SqlCheckOptions> = {
  kind: "sql",
  summary: "A query of the component's own database answers true.",
  options: sqlCheckOptionsSchema,
  answers: isMariadb,
  run: runSqlCheck,
};
