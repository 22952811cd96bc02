/**
 * One session that lasts, by one run of the stock client which is asked again and again: what is temporary in it goes with it, also when we are killed. The
 * first failure ends it, as the client ends then.
 */
import { randomBytes } from "node:crypto";
import { execa } from "execa";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { drained } from "../../platform/drained.ts";
import { childEnvironment } from "../../platform/subprocess.ts";
import { findProgram } from "./client-programs.ts";
import { openOptionFile, programEnvironment } from "./option-file.ts";
import { serverError } from "./server-errors.ts";
import { type Row, type SqlAccess, parseAnswers, sessionBegin } from "./sql-client.ts";

export type SqlSession = {
  /**
   * The answers of a script, one list of rows for each statement that has any columns.
   * @throws RefloatError as server-errors.ts says; the signal's reason when aborted
   */
  readonly run: (sql: string) => Promise<readonly (readonly Row[])[]>;
  /** The rows of the last statement of a script. */
  readonly ask: (sql: string) => Promise<readonly Row[]>;
  /** Statements that answer nothing, however many. @throws what the source threw, after which the session is of no use; as `run` */
  readonly feed: (source: ByteStream) => Promise<void>;
  /** Idempotent; never throws. */
  readonly close: () => Promise<void>;
};

/** A client that waits for an answer, or whose server has gone silent, is not waited for. */
const leaveMs = 2_000;

export const openSqlSession = async (access: SqlAccess, database: string): Promise<SqlSession> => {
  const { target, role, marker, signal } = access;
  signal.throwIfAborted();
  const program = await findProgram("mariadb");
  const options = await openOptionFile(target);
  const stopping = new AbortController();
  const child = execa(
    program,
    [
      options.argument,
      "--default-character-set=utf8mb4",
      "--batch",
      "--xml",
      "--binary-mode",
      "--unbuffered",
      "--max-allowed-packet=1G",
      `--database=${database}`,
    ],
    {
      cancelSignal: AbortSignal.any([signal, stopping.signal]),
      env: childEnvironment({ environment: programEnvironment(), cleanEnvironment: true, marker }),
      extendEnv: false,
      stdin: "pipe",
      buffer: { stdout: false, stderr: true },
    },
  );
  const ended = child.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  // EPIPE: the client has ended, and says why itself.
  child.stdin.on("error", () => undefined);
  let said: string[] = [];
  let heard: (() => void) | null = null;
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    said.push(text);
    heard?.();
  });
  const failure = async (): Promise<Error> => {
    const found = await ended;
    signal.throwIfAborted();
    return serverError("mariadb", found?.error ?? new Error("the client ended"), target, role);
  };
  const send = async (bytes: string | Uint8Array): Promise<void> => {
    signal.throwIfAborted();
    if (child.stdin.destroyed) throw await failure();
    if (!child.stdin.write(bytes)) await drained(child.stdin);
  };
  /** Until the client has come as far as here. */
  let asked = 0;
  const answers = async (): Promise<string> => {
    asked += 1;
    const word = randomBytes(8).toString("hex");
    await send(`\nSELECT '${word}' AS refloat_end;\n`);
    const mark = `<field name="refloat_end">${word}</field>`;
    const over = ended.then(() => "ended" as const);
    for (;;) {
      const next = new Promise<"heard">((resolve) => {
        heard = () => resolve("heard");
      });
      // The word may lie across two pieces; the answer before it may be long, and is looked at once.
      if (said.slice(-2).join("").includes(mark)) break;
      if ((await Promise.race([next, over])) === "ended") {
        if (said.slice(-2).join("").includes(mark)) break;
        throw await failure();
      }
    }
    asked -= 1;
    const text = said.join("");
    said = [];
    return text.slice(0, text.lastIndexOf("<?xml", text.indexOf(mark)));
  };
  const run: SqlSession["run"] = async (sql) => {
    await send(sql);
    return parseAnswers(await answers());
  };
  const close = async (): Promise<void> => {
    // At the end of its words the client takes leave of the server, which else writes of an aborted connection into its log.
    if (asked === 0 && !stopping.signal.aborted) {
      child.stdin.end();
      AbortSignal.timeout(leaveMs).addEventListener("abort", () => stopping.abort(), { once: true });
    } else stopping.abort();
    await ended;
    await options.remove();
  };
  try {
    await run(sessionBegin);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    run,
    ask: async (sql) => (await run(sql)).at(-1) ?? [],
    feed: async (source) => {
      asked += 1;
      for await (const chunk of source) await send(chunk);
      asked -= 1;
      await answers();
    },
    close,
  };
};
