/**
 * Asks the server by the stock client program, which knows every way to authenticate and to encrypt. Each call is a session of its own; what
 * must happen in one session is one script. Answers come as XML, the only form in which NULL is not a text.
 */
import { execa } from "execa";
import { childEnvironment, runProgram } from "../../platform/subprocess.ts";
import type { MariadbContext } from "./mariadb-options.ts";
import { findProgram } from "./client-programs.ts";
import { type MariadbTarget, type UrlNames, resolveTarget } from "./connection-target.ts";
import { openOptionFile, programEnvironment, withOptionFile } from "./option-file.ts";
import { type ServerRole, serverError } from "./server-errors.ts";

export type Row = Readonly<Record<string, string | null>>;

export type SqlAccess = {
  readonly target: MariadbTarget;
  readonly role: ServerRole;
  readonly marker: string;
  readonly signal: AbortSignal;
};

export const accessOf = async (
  context: MariadbContext,
  role: ServerRole,
  names: UrlNames = "database",
): Promise<SqlAccess> => ({
  target: await resolveTarget(context, names),
  role,
  marker: context.marker,
  signal: context.signal,
});

const entities: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&amp;": "&",
};

const decode = (text: string): string => text.replaceAll(/&(?:lt|gt|quot|amp);/g, (found) => entities[found] ?? found);

const setPattern = /<resultset statement="[^"]*"[^>]*>(?<rows>[^]*?)<\/resultset>/g;
const rowPattern = /<row>(?<fields>[^]*?)<\/row>/g;
const fieldPattern = /<field name="(?<name>[^"]*)"(?: xsi:nil="true" \/>|>(?<value>[^]*?)<\/field>)/g;

const parseRows = (xml: string): readonly Row[] =>
  [...xml.matchAll(rowPattern)].map((row) =>
    Object.fromEntries(
      [...(row.groups?.["fields"] ?? "").matchAll(fieldPattern)].map(({ groups }) => [
        decode(groups?.["name"] ?? ""),
        groups?.["value"] === undefined ? null : decode(groups["value"]),
      ]),
    ),
  );

/** The answers of a script, one list of rows for each statement that has any columns. */
export const parseAnswers = (xml: string): readonly (readonly Row[])[] =>
  [...xml.matchAll(setPattern)].map((set) => parseRows(set.groups?.["rows"] ?? ""));

/** The same for all sessions of ours: no mode that the server was given changes how our words are read, and no lock is waited for for ever. */
export const sessionBegin = "SET SESSION sql_mode = '', time_zone = '+00:00', lock_wait_timeout = 60;\n";

const clientArguments = (options: string): readonly string[] => [
  options,
  "--default-character-set=utf8mb4",
  "--batch",
  "--xml",
  "--binary-mode",
  "--unbuffered",
  "--max-allowed-packet=1G",
];

/**
 * Runs a script in one session, to its end or its first failure.
 * @param database that the script begins in
 * @throws RefloatError as server-errors.ts says; the signal's reason when aborted
 */
export const runSql = async (
  { target, role, marker, signal }: SqlAccess,
  sql: string,
  database?: string,
): Promise<readonly (readonly Row[])[]> => {
  signal.throwIfAborted();
  const program = await findProgram("mariadb");
  return withOptionFile(target, async (options) => {
    try {
      const { stdout } = await runProgram(
        program,
        [...clientArguments(options), ...(database === undefined ? [] : [`--database=${database}`])],
        { signal, environment: programEnvironment(), cleanEnvironment: true, marker, input: `${sessionBegin}${sql}\n` },
      );
      return parseAnswers(stdout);
    } catch (error) {
      signal.throwIfAborted();
      throw serverError("mariadb", error, target, role);
    }
  });
};

/** The rows of the last statement of a script. */
export const askSql = async (access: SqlAccess, sql: string, database?: string): Promise<readonly Row[]> =>
  (await runSql(access, sql, database)).at(-1) ?? [];

const rowEnd = "</row>";

/**
 * The rows of a script of one answer, one after the other: of more than fits into memory, or than `askSql` takes.
 * @throws as `runSql`, perhaps after some rows
 */
export async function* streamRows({ target, role, marker, signal }: SqlAccess, sql: string): AsyncGenerator<Row> {
  signal.throwIfAborted();
  const program = await findProgram("mariadb");
  const options = await openOptionFile(target);
  const stopping = new AbortController();
  const child = execa(program, [...clientArguments(options.argument), "--quick"], {
    cancelSignal: AbortSignal.any([signal, stopping.signal]),
    env: childEnvironment({ environment: programEnvironment(), cleanEnvironment: true, marker }),
    extendEnv: false,
    input: `${sessionBegin}${sql}\n`,
    buffer: { stdout: false, stderr: true },
  });
  // Node lets flow, into nothing, what nobody has asked for when a child ends: so somebody asks from the first.
  child.stdout.on("readable", () => undefined);
  const ended = child.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      const seen = Math.max(0, text.length - rowEnd.length);
      text += decoder.decode(chunk, { stream: true });
      const last = text.slice(seen).lastIndexOf(rowEnd);
      if (last < 0) continue;
      const end = seen + last + rowEnd.length;
      yield* parseRows(text.slice(0, end));
      text = text.slice(end);
    }
    const failure = await ended;
    if (failure === null) return;
    signal.throwIfAborted();
    throw serverError("mariadb", failure.error, target, role);
  } finally {
    stopping.abort();
    await ended;
    await options.remove();
  }
}

export const textOf = (row: Row | undefined, name: string): string => row?.[name] ?? "";
export const numberOf = (row: Row | undefined, name: string): number => Number(row?.[name] ?? 0);
