/** After the switch: whether the old side had pg_cron, which the new one was restored without. */
import { RefloatError } from "../../model/refloat-error.ts";
import type { Session } from "../../platform/postgres/session.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { openLocation } from "./retired-database.ts";
import { describeScheduler, hasScheduler } from "./scheduler.ts";

const extensionsOf = (session: Session): Promise<readonly { readonly name: string }[]> =>
  session.query<{ name: string }>("select extname::text as name from pg_extension");

/** Null where we may not read them. */
const countJobs = async (session: Session, signal: AbortSignal): Promise<number | null> => {
  try {
    const [row] = await session.query<{ jobs: number }>("select count(*)::float8 as jobs from cron.job");
    return row?.jobs ?? null;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RefloatError) return null;
    throw error;
  }
};

/** @returns how its jobs come back, where they did not come along */
export const settleScheduler = async (context: PostgresContext, outgoing: string): Promise<readonly string[]> => {
  const newSide = await openLocation(context, null);
  try {
    if (hasScheduler(await extensionsOf(newSide))) return [];
  } finally {
    await newSide.close();
  }
  const oldSide = await openLocation(context, outgoing, { stayClosed: true });
  try {
    if (!hasScheduler(await extensionsOf(oldSide))) return [];
    const rows = await countJobs(oldSide, context.signal);
    return [describeScheduler({ units: rows === null ? {} : { "cron.job": { rows } } })];
  } finally {
    await oldSide.close();
  }
};
