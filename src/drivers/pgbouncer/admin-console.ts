/**
 * The admin console of PgBouncer: a database of the name pgbouncer that takes words of its own. Knows these words (1.12 and later), not
 * what a cutover is. What it answers to a word that it does not carry out is told as it is.
 */
import type { TrafficContext } from "../../core/ports/traffic.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ConnectionTarget, describeAddress, resolveTarget } from "../../platform/postgres/connection-target.ts";
import { openClient } from "../../platform/postgres/session.ts";
import { type PgbouncerOptions, type ServerPlace } from "./pgbouncer-options.ts";

type Row = Readonly<Record<string, string | null>>;

/** Whatever type the console gives its columns. */
const asText = (row: Readonly<Record<string, unknown>>): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value as string | number)]),
  );

/** One entry of [databases] as the running PgBouncer knows it. */
export type PooledDatabase = {
  /** Null where the entry names no host: a socket of the place that PgBouncer was built for. */
  readonly place: ServerPlace | null;
  readonly database: string;
  readonly paused: boolean;
  readonly disabled: boolean;
  /** To the server. */
  readonly connections: number;
};

const answerTimeoutMs = 10_000;

const resolveConsole = async (context: TrafficContext, { console: url, password }: PgbouncerOptions) => {
  const target = await resolveTarget({ component: "pgbouncer", bind: context.bind, options: { url, password } });
  if (target.database === "pgbouncer") return target;
  throw new RefloatError("config.invalid", `"${target.database}" is no admin console: it is the database pgbouncer`, {
    hint: `write console: postgres://${target.user}@${describeAddress(target)}/pgbouncer`,
  });
};

const explain = (error: unknown, target: ConnectionTarget): unknown => {
  const { user } = target;
  if (error instanceof RefloatError && error.code === "source.unreachable" && error.hint === undefined)
    return new RefloatError(error.code, error.message, {
      cause: error,
      hint: "console: is the address of PgBouncer itself (listen_addr, listen_port); see that it runs, and its log",
      nextCommand: `psql -h ${target.host} -p ${target.port} -U ${user} pgbouncer -c 'SHOW DATABASES'`,
    });
  const [said] = /admin access needed|not allowed/.exec(error instanceof Error ? error.message : "") ?? [];
  if (said === undefined) return error;
  return new RefloatError("source.denied", `PgBouncer lets ${user} not change anything: ${said}`, {
    cause: error,
    hint: `name the user in pgbouncer.ini: admin_users = ${user}`,
  });
};

/**
 * One word to the console, on a connection of its own.
 * @param timeoutMs after which the connection is cut, whatever came of the word
 * @throws RefloatError source.unreachable, source.denied, target.failed
 */
export const tellConsole = async (
  context: TrafficContext,
  options: PgbouncerOptions,
  words: string,
  timeoutMs = answerTimeoutMs,
): Promise<readonly Row[]> => {
  const target = await resolveConsole(context, options);
  try {
    const opened = await openClient({ target, marker: context.marker, role: "target", signal: context.signal });
    // Begins only now: a word that is given little time must still reach the console.
    const timer = setTimeout(() => void opened.close(false), timeoutMs);
    try {
      return (await opened.client.query<Record<string, unknown>>(words)).rows.map(asText);
    } catch (error) {
      throw opened.translate(error);
    } finally {
      clearTimeout(timer);
      await opened.close(false);
    }
  } catch (error) {
    context.signal.throwIfAborted();
    throw explain(error, target);
  }
};

/** @throws RefloatError config.invalid when there is no such entry */
export const readDatabase = async (context: TrafficContext, options: PgbouncerOptions): Promise<PooledDatabase> => {
  const rows = await tellConsole(context, options, "SHOW DATABASES");
  const row = rows.find(({ name }) => name === options.pgbouncer);
  if (row === undefined) {
    throw new RefloatError("config.invalid", `PgBouncer knows no database "${options.pgbouncer}"`, {
      hint: "write it as it stands under [databases], where it has a line of its own (not *), and see that PgBouncer has loaded it",
    });
  }
  const host = row["host"] ?? "";
  return {
    place: host === "" ? null : { host, port: Number(row["port"]) },
    database: row["database"] ?? "",
    paused: row["paused"] === "1",
    disabled: row["disabled"] === "1",
    connections: Number(row["current_connections"]),
  };
};

/** Settings of the running PgBouncer by name. */
export const readSettings = async (
  context: TrafficContext,
  options: PgbouncerOptions,
): Promise<ReadonlyMap<string, string>> =>
  new Map((await tellConsole(context, options, "SHOW CONFIG")).map(({ key, value }) => [key ?? "", value ?? ""]));

/** A word about the entry: PAUSE, KILL, RESUME. */
export const tellDatabase = async (
  context: TrafficContext,
  options: PgbouncerOptions,
  word: "PAUSE" | "KILL" | "RESUME",
  timeoutMs?: number,
): Promise<void> => {
  await tellConsole(context, options, `${word} "${options.pgbouncer}"`, timeoutMs);
};
