/** Finds the PostgreSQL servers of this machine by their sockets and asks each for its databases, by psql, as whoever may. */
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { FoundPostgres } from "../core/init/machine-findings.ts";
import { toRefloatError } from "../model/refloat-error.ts";
import { baseEnvironment } from "./base-environment.ts";
import { currentPerson } from "./current-person.ts";
import type { TcpSocket, UnixListener } from "./socket-table.ts";
import { runProgram } from "./subprocess.ts";

export type PostgresProcess = {
  readonly executable: string | null;
  /** TCP ports and paths of Unix sockets that it listens on. */
  readonly ports: readonly number[];
  readonly sockets: readonly string[];
};

type Server = Pick<FoundPostgres, "port" | "socketDirectory" | "tcp"> & { readonly programs: string | null };

const socketPattern = /^(.*)\/\.s\.PGSQL\.(\d+)$/;

/** By Unix sockets, which all may see; and by the processes that we may look into, for servers that have none. */
export const findPostgresServers = (
  processes: readonly PostgresProcess[],
  unix: readonly UnixListener[],
  tcp: readonly TcpSocket[],
): readonly Server[] => {
  const listens = (port: number): boolean => tcp.some((socket) => socket.listening && socket.localPort === port);
  const bySocket = unix.flatMap(({ path }): readonly Server[] => {
    const [, socketDirectory, port] = socketPattern.exec(path) ?? [];
    if (socketDirectory === undefined || port === undefined) return [];
    const owner = processes.find(({ sockets }) => sockets.includes(path));
    const ownTcp = owner === undefined ? listens(Number(port)) : owner.ports.includes(Number(port));
    return [{ port: Number(port), socketDirectory, tcp: ownTcp, programs: programsOf(owner) }];
  });
  const byPort = processes
    .filter(({ sockets }) => sockets.length === 0)
    .flatMap((process) =>
      process.ports.map((port) => ({ port, socketDirectory: null, tcp: true, programs: programsOf(process) })),
    );
  // One server may listen in several folders: the first one that was bound stands for it.
  return [...bySocket, ...byPort].filter(
    (server, index, all) =>
      all.findIndex(
        ({ port, programs, tcp: other }) =>
          port === server.port && programs === server.programs && other === server.tcp,
      ) === index,
  );
};

const programsOf = (process: PostgresProcess | undefined): string | null =>
  process?.executable === null || process === undefined ? null : dirname(process.executable);

const answerSchema = z.object({
  version: z.string(),
  databases: z.array(z.object({ name: z.string(), owner: z.string(), sizeBytes: z.number() })),
  ownTables: z.boolean(),
  roles: z.array(z.string()),
});

const question = `select json_build_object(
  'version', current_setting('server_version'),
  'databases', (select coalesce(json_agg(json_build_object(
      'name', datname,
      'owner', pg_get_userbyid(datdba),
      'sizeBytes', case when has_database_privilege(oid, 'connect') then pg_database_size(oid) else 0 end
    ) order by datname), '[]'::json) from pg_database where datallowconn and not datistemplate),
  'roles', (select json_agg(rolname) from pg_roles where rolcanlogin),
  'ownTables', exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'))`;

export const askPostgres = async (server: Server, signal: AbortSignal): Promise<FoundPostgres> => {
  const { port, socketDirectory, tcp, programs } = server;
  const found = { port, socketDirectory, tcp };
  try {
    const answer = answerSchema.parse(JSON.parse(await askByPsql(server, programs, signal)));
    const databases = answer.databases.filter(({ name }) => name !== "postgres" || answer.ownTables);
    const { user } = currentPerson();
    const missingRole = answer.roles.includes(user) ? null : user;
    return { ...found, version: versionNumber(answer.version), databases, missingRole, problem: null };
  } catch (error) {
    signal.throwIfAborted();
    return { ...found, version: null, databases: null, missingRole: null, problem: describeProblem(error) };
  }
};

/** `15.18 (Debian 15.18-0+deb12u1)` is 15.18. */
const versionNumber = (text: string): string => text.split(" ", 1)[0] ?? text;

const askByPsql = async (server: Server, programs: string | null, signal: AbortSignal): Promise<string> => {
  const { port, socketDirectory } = server;
  const account = socketDirectory === null ? {} : await accountFor(join(socketDirectory, `.s.PGSQL.${port}`));
  const psql = programs !== null && (await exists(join(programs, "psql"))) ? join(programs, "psql") : "psql";
  const host = socketDirectory ?? "127.0.0.1";
  const args = ["-XAtq", "--no-password", "-h", host, "-p", String(port), "-d", "postgres", "-c", question];
  const { PATH = "/usr/bin:/bin" } = baseEnvironment();
  const { stdout } = await runProgram(psql, args, {
    signal,
    cwd: "/",
    cleanEnvironment: true,
    environment: { PATH, PGCONNECT_TIMEOUT: "5", PGAPPNAME: "refloat/init", LC_ALL: "C.UTF-8" },
    timeoutMs: 20_000,
    ...account,
  });
  return stdout;
};

const exists = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Root asks as the user that the server runs as, whom PostgreSQL knows; everybody else as himself. */
const accountFor = async (socket: string): Promise<{ readonly uid?: number; readonly gid?: number }> => {
  if (process.getuid?.() !== 0) return {};
  const { uid, gid } = await stat(socket);
  return { uid, gid };
};

const describeProblem = (error: unknown): NonNullable<FoundPostgres["problem"]> => {
  const { code, message } = toRefloatError(error);
  if (code === "program.missing")
    return { found: "psql is not installed", hint: "apt-get install postgresql-client, then run refloat init again" };
  const said = /failed: (?:FATAL: {2})?(.*)$/m.exec(message)?.[1] ?? message.split("\n", 1)[0] ?? message;
  const hint =
    process.getuid?.() === 0
      ? "declare its databases by hand"
      : "run refloat init as root or as the user that the server runs as, or declare its databases by hand";
  return { found: said, hint };
};
