/** Ties places of a server's binary log to its time: one session of the stock client that is asked again and again. */
import { createInterface } from "node:readline";
import { execa } from "execa";
import { RefloatError } from "../../model/refloat-error.ts";
import { childEnvironment } from "../../platform/subprocess.ts";
import { type BinlogPlace, readFileName } from "./binlog-line.ts";
import { findProgram } from "./client-programs.ts";
import { openOptionFile, programEnvironment } from "./option-file.ts";
import { serverError } from "./server-errors.ts";
import type { SqlAccess } from "./sql-client.ts";

/** Where the log ended between two looks at the clock: all that was written before `end` was so before `afterMs`, and all before `beforeMs` is in it. */
export type BinlogLook = { readonly beforeMs: number; readonly end: BinlogPlace; readonly afterMs: number };

export type BinlogClock = {
  /** @throws RefloatError source.unreachable and the like, once the session is lost */
  readonly look: () => Promise<BinlogLook>;
  readonly close: () => Promise<void>;
};

const timeSql = "SELECT 'at', FLOOR(UNIX_TIMESTAMP(SYSDATE(6)) * 1000);";
/** A server that takes longer to tell the time is away. */
const longestAnswerMs = 20_000;

export const openBinlogClock = async (access: SqlAccess): Promise<BinlogClock> => {
  const { target, marker, role, signal } = access;
  const stopping = new AbortController();
  const program = await findProgram("mariadb");
  const options = await openOptionFile(target);
  const child = execa(
    program,
    [options.argument, "--batch", "--skip-column-names", "--unbuffered", "--default-character-set=utf8mb4"],
    {
      cancelSignal: AbortSignal.any([signal, stopping.signal]),
      env: childEnvironment({ environment: programEnvironment(), cleanEnvironment: true, marker }),
      extendEnv: false,
      stdin: "pipe",
      buffer: { stdout: false, stderr: true },
    },
  );
  child.stdin.on("error", () => undefined);
  const ended = child.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const close = async (): Promise<void> => {
    stopping.abort();
    await ended;
    await options.remove();
  };
  const line = async (): Promise<readonly string[]> => {
    const { done, value } = await lines.next();
    if (done !== true) return value.split("\t");
    const failure = await ended;
    if (failure !== null && !stopping.signal.aborted) throw serverError("mariadb", failure.error, target, role);
    throw new RefloatError("source.unreachable", "the session that asks the server for its time has ended");
  };
  const time = async (): Promise<number> => {
    const [word, value] = await line();
    if (word !== "at") throw new RefloatError("source.failed", `the server tells the end of its log as "${word}"`);
    return Number(value);
  };
  const ask = async (): Promise<BinlogLook> => {
    const slow = setTimeout(() => stopping.abort(), longestAnswerMs);
    try {
      child.stdin.write(`${timeSql}\nSHOW MASTER STATUS;\n${timeSql}\n`);
      const beforeMs = await time();
      const [name = "", offset] = await line();
      const file = readFileName(name);
      if (file === null) throw new RefloatError("source.unsupported", `the server does not say where its log ends`);
      return { beforeMs, end: { number: file.number, offset: Number(offset) }, afterMs: await time() };
    } finally {
      clearTimeout(slow);
    }
  };
  // One session answers one after the other.
  let last: Promise<unknown> = Promise.resolve();
  const look: BinlogClock["look"] = () => {
    const answer = last.then(ask, ask);
    last = answer.catch(() => undefined);
    return answer;
  };
  return { look, close };
};
