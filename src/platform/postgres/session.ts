/**
 * One connection: opened with every time limit of the server off, named so that it can be found, ended at once when the caller
 * aborts. Translates failures; decides nothing.
 */
import { readFile } from "node:fs/promises";
import { Socket } from "node:net";
import {
  Client,
  type ClientConfig,
  type QueryArrayConfig,
  type QueryConfig,
  type QueryResult,
  type Submittable,
} from "pg";
import { applicationName } from "./application-name.ts";
import type { ConnectionTarget } from "./connection-target.ts";
import { type ServerRole, serverError } from "./server-errors.ts";

export type SessionOptions = {
  readonly target: ConnectionTarget;
  /** Another database of the same server. */
  readonly database?: string;
  /** Marker of the act, becomes application_name. */
  readonly marker: string;
  readonly role: ServerRole;
  readonly signal: AbortSignal;
};

export type Session = {
  readonly target: ConnectionTarget;
  /**
   * @param values given, even empty, they make it one statement only; without them `sql` may hold several, and the last one's rows count
   * @throws RefloatError as server-errors.ts says; the signal's reason when aborted
   */
  readonly query: <Row>(sql: string, values?: readonly unknown[]) => Promise<readonly Row[]>;
  /** The answer to one statement as it is, columns of the same name included. */
  readonly ask: (sql: string) => Promise<{ readonly columns: number; readonly rows: readonly (readonly unknown[])[] }>;
  /** For copy streams; failures arrive on the stream, to be translated by `translate`. */
  readonly submit: <Stream extends Submittable>(stream: Stream) => Stream;
  readonly translate: (error: unknown) => Error;
  /** Aborted when the connection ends for any reason other than `close`. */
  readonly lost: AbortSignal;
  /** Idempotent; never throws. */
  readonly close: () => Promise<void>;
};

const connectTimeoutMs = 10_000;

const tlsOptions = async (target: ConnectionTarget) => {
  if (target.tls === "disable") return false;
  if (target.tls === "require") return { rejectUnauthorized: false };
  return {
    rejectUnauthorized: true,
    ...(target.tlsRootCertificate === null ? {} : { ca: await readFile(target.tlsRootCertificate, "utf8") }),
  };
};

/** The types of pg do not know `queryMode` yet: the extended protocol takes one statement only. */
const asked = (sql: string, values: readonly unknown[] | undefined): QueryConfig => {
  if (values === undefined) return { text: sql };
  const extended: QueryConfig & { queryMode: "extended" } = { text: sql, values: [...values], queryMode: "extended" };
  return extended;
};

/** A snapshot may be held for hours and a COPY may wait for a slow vault: no limit of the server may end it. */
const sessionSettings = `
  set statement_timeout = 0;
  set lock_timeout = 0;
  set idle_in_transaction_session_timeout = 0;
  select set_config(name, '0', false) from pg_settings where name in ('idle_session_timeout', 'transaction_timeout')`;

/** Lets the server notice soon that we were killed, also while it builds an index. Not on every version and platform. */
const noticeDeath = "set client_connection_check_interval = '1s'";

/** A connection that is open, before anything was asked of it. */
export type OpenClient = {
  readonly client: Client;
  readonly translate: (error: unknown) => Error;
  readonly lost: AbortSignal;
  /** Idempotent; never throws. @param politely lets the server end what was asked; without it the connection is cut */
  readonly close: (politely: boolean) => Promise<void>;
};

/**
 * @param replication speaks the replication protocol, which has commands of its own and no SQL
 * @throws RefloatError source.unreachable, source.denied, source.failed; the signal's reason when aborted
 */
export const openClient = async (options: SessionOptions, replication = false): Promise<OpenClient> => {
  const { signal, role } = options;
  const target = options.database === undefined ? options.target : { ...options.target, database: options.database };
  signal.throwIfAborted();
  const socket = new Socket();
  const lost = new AbortController();
  let closing = false;
  const config: ClientConfig & { readonly replication?: string } = {
    host: target.host,
    port: target.port,
    user: target.user,
    database: target.database,
    ...(target.password === null ? {} : { password: target.password.reveal() }),
    ssl: await tlsOptions(target),
    application_name: applicationName(options.marker),
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    client_encoding: "UTF8",
    stream: () => socket,
    // Of a role that is told nothing, neither would we be told what a backup leaves out.
    ...(replication ? { replication: "true", options: "-c client_min_messages=warning" } : {}),
  };
  const client = new Client(config);
  const translate = (error: unknown): Error => {
    if (signal.aborted) return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
    return serverError(error, target, role);
  };
  // Destroying the socket is the only way out of a statement that runs for an hour.
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  const release = (): void => signal.removeEventListener("abort", abort);
  client.on("error", (error) => {
    if (!closing) lost.abort(translate(error));
  });
  client.on("end", () => {
    release();
    if (!closing) lost.abort(translate(new Error("Connection terminated")));
  });
  const close = async (politely: boolean): Promise<void> => {
    closing = true;
    release();
    if (!politely) socket.destroy();
    await client.end().catch(() => undefined);
    socket.destroy();
  };
  try {
    await client.connect();
  } catch (error) {
    closing = true;
    release();
    socket.destroy();
    throw translate(error);
  }
  return { client, translate, lost: lost.signal, close };
};

/** @throws RefloatError source.unreachable, source.denied, source.failed; the signal's reason when aborted */
export const openSession = async (options: SessionOptions): Promise<Session> => {
  const { client, translate, lost, close } = await openClient(options);
  const target = options.database === undefined ? options.target : { ...options.target, database: options.database };
  const query = async <Row>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]> => {
    try {
      const result: QueryResult | QueryResult[] = await client.query(asked(sql, values));
      return ((Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? []) as Row[];
    } catch (error) {
      throw translate(error);
    }
  };
  const ask: Session["ask"] = async (sql) => {
    try {
      const statement: QueryArrayConfig & { queryMode: "extended" } = {
        text: sql,
        rowMode: "array",
        queryMode: "extended",
      };
      const { fields, rows } = await client.query<unknown[]>(statement);
      return { columns: fields.length, rows };
    } catch (error) {
      throw translate(error);
    }
  };
  try {
    await client.query(sessionSettings);
    await client.query(noticeDeath).catch(() => undefined);
  } catch (error) {
    const translated = translate(error);
    await close(false);
    throw translated;
  }
  return {
    target,
    query,
    ask,
    submit: (stream) => client.query(stream),
    translate,
    lost,
    close: () => close(true),
  };
};

export const withSession = async <Result>(
  options: SessionOptions,
  act: (session: Session) => Promise<Result>,
): Promise<Result> => {
  const session = await openSession(options);
  try {
    return await act(session);
  } finally {
    await session.close();
  }
};

/** Commits if `act` returns, rolls back if it throws. @param mode e.g. `isolation level repeatable read read only` */
export const inTransaction = async <Result>(
  session: Session,
  mode: string,
  act: () => Promise<Result>,
): Promise<Result> => {
  await session.query(`begin ${mode}`);
  try {
    const result = await act();
    await session.query("commit");
    return result;
  } catch (error) {
    // The first failure is the one to tell; a rollback that fails too means that the connection is gone, and the transaction with it.
    await session.query("rollback").catch(() => undefined);
    throw error;
  }
};
