/** The sql check: one query that answers true, asked of whatever stands for the component, in a read-only transaction. */
import { z } from "zod";
import type { CheckContext, CheckDriver } from "../../core/ports/driver.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { parsePostgresUrl } from "./connection-target.ts";
import { sqlStateOf } from "./server-errors.ts";
import { inTransaction, type Session, withSession } from "./session.ts";

const optionsSchema = z
  .strictObject({
    sql: z.string().min(1).meta({
      description: "A query with one row of one column that is true (or a number other than zero) when all is well.",
    }),
  })
  .meta({ description: "A query of the component's own database answers true." });
type SqlOptions = z.infer<typeof optionsSchema>;

const foundLength = 200;

const isTrue = (value: unknown): boolean => {
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return value !== 0;
  if (typeof value !== "string") return false;
  return (
    /^(?:t|true|yes|on)$/i.test(value) || (value.trim() !== "" && Number.isFinite(Number(value)) && Number(value) !== 0)
  );
};

const describeValue = (value: unknown): string => {
  if (value === null || value === undefined) return "null";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= foundLength ? text : `${text.slice(0, foundLength)}...`;
};

const judge = (answer: Awaited<ReturnType<Session["ask"]>>): { readonly ok: boolean; readonly found: string } => {
  const { columns, rows } = answer;
  const [row] = rows;
  if (columns !== 1) return { ok: false, found: `${columns} columns, one is expected` };
  if (row === undefined) return { ok: false, found: "no row" };
  if (rows.length > 1) return { ok: false, found: `${rows.length.toLocaleString("en-US")} rows, one is expected` };
  return { ok: isTrue(row[0]), found: describeValue(row[0]) };
};

const queryCanceled = "57014";

const runSqlCheck = async (context: CheckContext, options: SqlOptions): Promise<CheckOutcome> => {
  const { url } = context.outputs;
  if (url === undefined || !/^postgres(?:ql)?:/.test(url.value)) {
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
    const { ok, found } = judge(answer);
    return outcome(ok ? "passed" : "failed", found);
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted || sqlStateOf(error) === queryCanceled) return outcome("failed", tooSlow);
    if (error instanceof RefloatError && error.code !== "bug") return outcome("failed", error.message);
    throw error;
  }
};

export const sqlCheck: CheckDriver<SqlOptions> = {
  kind: "sql",
  summary: "A query of the component's own database answers true.",
  options: optionsSchema,
  run: runSqlCheck,
};
