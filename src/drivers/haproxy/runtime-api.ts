/**
 * HAProxy's runtime API: one command per connection, answers as text. Knows the words of HAProxy (2.4 and later), not what a
 * cutover is. Its errors are sentences without a code, so an unexpected sentence is told as it is.
 */
import { createConnection, type NetConnectOpts } from "node:net";
import { RefloatError } from "../../model/refloat-error.ts";
import { describeSystemError } from "../../platform/system-error.ts";

const answerTimeoutMs = 10_000;
const answerLimitCharacters = 16 * 1024 * 1024;

/** A path, or HAProxy's own spelling of a TCP address: `ipv4@127.0.0.1:9999`, `ipv6@[::1]:9999`. */
const connectOptions = (socket: string): NetConnectOpts => {
  if (socket.startsWith("/")) return { path: socket };
  if (socket.startsWith("unix@")) return { path: socket.slice("unix@".length) };
  const [, bracketed, plain, port] = /^ipv[46]@(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(socket) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) {
    throw new RefloatError("config.invalid", `"${socket}" is no socket of HAProxy`, {
      hint: "write its path, such as /run/haproxy/admin.sock, or ipv4@127.0.0.1:9999",
    });
  }
  return { host, port: Number(port) };
};

const unreachable = (socket: string, error: unknown): RefloatError => {
  const isDenied = ["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "");
  return new RefloatError(
    isDenied ? "source.denied" : "source.unreachable",
    `HAProxy does not answer at ${socket}: ${describeSystemError(error)}`,
    {
      cause: error,
      hint: isDenied
        ? "add the user that runs Refloat to the socket's group, or set user and mode of the stats socket"
        : `is HAProxy running, with "stats socket ${socket} level admin" in its global section?`,
    },
  );
};

/**
 * Sends one command and gives back the whole answer without surrounding empty lines.
 * @throws RefloatError source.unreachable, source.denied
 */
export const askHaproxy = async (socket: string, command: string, signal: AbortSignal): Promise<string> => {
  const limit = AbortSignal.timeout(answerTimeoutMs);
  const connection = createConnection({ ...connectOptions(socket), signal: AbortSignal.any([signal, limit]) });
  try {
    connection.setEncoding("utf8");
    connection.write(`${command}\n`);
    let answer = "";
    for await (const chunk of connection as AsyncIterable<string>) {
      answer += chunk;
      if (answer.length > answerLimitCharacters) throw new Error("its answer has no end");
    }
    const text = answer.replaceAll(/^\n+|\n+$/g, "");
    if (text.startsWith("Permission denied"))
      throw new RefloatError("source.denied", `HAProxy refuses "${command}" at ${socket}: permission denied`, {
        hint: `set "stats socket ${socket} level admin" in HAProxy's global section`,
      });
    return text;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RefloatError) throw error;
    throw unreachable(socket, limit.aborted ? new Error(`no answer in ${answerTimeoutMs / 1_000} s`) : error);
  } finally {
    connection.destroy();
  }
};

export type ServerName = { readonly backend: string; readonly server: string };

/** One server as `show servers state` tells it. */
export type ServerState = ServerName & {
  readonly host: string;
  readonly port: number;
  /** 0 stopped, 1 starting, 2 running, 3 soft-stopping. */
  readonly operational: number;
  /** Bits: 1, 2, 4, 32 maintenance for four reasons; 8, 16 draining. */
  readonly administrative: number;
  /** Name that HAProxy resolves by itself; null for a plain address. */
  readonly resolvedName: string | null;
};

const refusals: readonly (readonly [RegExp, string])[] = [
  [/^(No such backend|Can't find backend)/, "there is no such back end"],
  [/^(No such server|Can't find server)/, "there is no such server"],
];

/** What HAProxy says when it does not do as it was told. */
const refused = (name: ServerName, command: string, answer: string): RefloatError => {
  const known = refusals.find(([pattern]) => pattern.test(answer));
  const place = `${name.backend}/${name.server}`;
  return known === undefined
    ? new RefloatError("target.failed", `HAProxy does not do "${command}": ${answer.split("\n")[0] ?? ""}`)
    : new RefloatError("config.invalid", `HAProxy knows no ${place}: ${known[1]}`, {
        hint: 'write backend/server as they are named in haproxy.cfg, such as "shop/app"',
      });
};

/** All servers of the back end. @throws RefloatError config.invalid when there is none of that name */
export const readServers = async (
  socket: string,
  name: ServerName,
  signal: AbortSignal,
): Promise<readonly ServerState[]> => {
  const command = `show servers state ${name.backend}`;
  const answer = await askHaproxy(socket, command, signal);
  const [version, header = "", ...rows] = answer.split("\n");
  if (version?.trim() !== "1" || !header.startsWith("# ")) throw refused(name, command, answer);
  const columns = header.slice(2).trim().split(" ");
  return rows
    .filter((row) => row.trim() !== "")
    .map((row) => {
      const values = row.split(" ");
      const valueOf = (column: string): string => values[columns.indexOf(column)] ?? "";
      const resolvedName = valueOf("srv_fqdn");
      return {
        backend: valueOf("be_name"),
        server: valueOf("srv_name"),
        host: valueOf("srv_addr"),
        port: Number(valueOf("srv_port")),
        operational: Number(valueOf("srv_op_state")),
        administrative: Number(valueOf("srv_admin_state")),
        resolvedName: resolvedName === "-" || resolvedName === "" ? null : resolvedName,
      };
    });
};

export const readServer = async (socket: string, name: ServerName, signal: AbortSignal): Promise<ServerState> => {
  const servers = await readServers(socket, name, signal);
  const found = servers.find(({ server }) => server === name.server);
  if (found === undefined) throw refused(name, "show servers state", "No such server.");
  return found;
};

/** Changes a server. @throws RefloatError target.failed with HAProxy's own sentence */
export const setServer = async (
  socket: string,
  name: ServerName,
  change: string,
  signal: AbortSignal,
): Promise<void> => {
  const command = `set server ${name.backend}/${name.server} ${change}`;
  const answer = await askHaproxy(socket, command, signal);
  // Said when an address or port was changed, or needed no change; anything else but silence is a refusal.
  const isDone = answer === "" || /^(no need to change|IP changed|port changed)/.test(answer);
  if (!isDone) throw refused(name, command, answer);
};

export const shutSessions = async (socket: string, name: ServerName, signal: AbortSignal): Promise<void> => {
  const command = `shutdown sessions server ${name.backend}/${name.server}`;
  const answer = await askHaproxy(socket, command, signal);
  if (answer !== "") throw refused(name, command, answer);
};

/** Sessions that the server has at this moment, and requests that wait for it. */
export const countSessions = async (socket: string, name: ServerName, signal: AbortSignal): Promise<number> => {
  const answer = await askHaproxy(socket, "show stat", signal);
  const [header = "", ...rows] = answer.split("\n");
  const columns = header.replace(/^# /, "").split(",");
  const row = rows
    .map((line) => line.split(","))
    .find(
      (cells) => cells[columns.indexOf("pxname")] === name.backend && cells[columns.indexOf("svname")] === name.server,
    );
  if (row === undefined) throw refused(name, "show stat", "No such server.");
  return Number(row[columns.indexOf("scur")]) + Number(row[columns.indexOf("qcur")]);
};

/** Every server of every back end, in the form of a server-state-file. */
export const readStateFile = async (socket: string, signal: AbortSignal): Promise<string> => {
  const answer = await askHaproxy(socket, "show servers state", signal);
  return `${answer}\n`;
};
