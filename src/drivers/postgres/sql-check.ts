/** The sql check: one query that answers true, asked of whatever stands for the component, in a read-only transaction. */
import { type SqlCheckOptions, judgeAnswer, sqlCheckOptionsSchema } from "../../core/components/sql-answer.ts";
import type { CheckContext, CheckDriver, Outputs } from "../../core/ports/driver.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { parsePostgresUrl } from "../../platform/postgres/connection-target.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import { inTransaction, withSession } from "../../platform/postgres/session.ts";

const queryCanceled = "57014";

const isPostgres = ({ url }: Outputs): boolean => url !== undefined && /^postgres(?:ql)?:/.test(url.value);

const runSqlCheck = async (context: CheckContext, options: SqlCheckOptions): Promise<CheckOutcome> => {
  const { url } = context.outputs;
  if (url === undefined || !isPostgres(context.outputs)) {
    throw new RefloatError("config.invalid", "a sql check belongs to a component of type postgres", {
      hint: "put it under the checks of the database",
    });
  }
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
  const tooSlow = `no answer in ${context.timeoutMs / 1_000} s`;
  try {
    const answer = await withSession(
      {
        target: parsePostgresUrl(url.value),
        marker: context.marker,
        role: "source",
        signal: AbortSignal.any([context.signal, limit]),
      },
      (session) =>
        inTransaction(session, "read only", async () => {
          await session.query(`set local statement_timeout = ${context.timeoutMs}`);
          return session.ask(bound.value);
        }),
    );
    const { ok, found } = judgeAnswer(answer);
    return outcome(ok ? "passed" : "failed", found);
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted || sqlStateOf(error) === queryCanceled) return outcome("failed", tooSlow);
    if (error instanceof RefloatError && error.code !== "bug") return outcome("failed", error.message);
    throw error;
  }
};

export const sqlCheck: CheckDriver<SqlCheckOptions> = {
  kind: "sql",
  summary: "A query of the component's own database answers true.",
  options: sqlCheckOptionsSchema,
  answers: isPostgres,
  run: runSqlCheck,
};
