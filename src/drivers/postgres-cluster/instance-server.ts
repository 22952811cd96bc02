/**
 * The server of a restored cluster until it is switched: a port of its own on loopback, a socket that only its owner reaches, and a
 * configuration that Refloat writes, so that nothing of the original's surroundings (/etc/postgresql, certificates, log folders) is needed.
 */
import { chmod, lchown, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shellWord } from "../../core/text/shell-word.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ConnectionTarget, resolveTarget } from "../../platform/postgres/connection-target.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { readControlData } from "./control-data.ts";
import { type Postmaster, findPostmaster, startPostmaster } from "./postmaster.ts";
import type { Owner } from "../../platform/folder-server/folder-owner.ts";

const names = {
  configuration: "refloat-instance.conf",
  access: "refloat-instance.hba",
  people: "refloat-instance.ident",
  sockets: "refloat-instance.run",
  log: "refloat-instance.log",
} as const;

/** Removed before the switch: at the stable place its own configuration counts again. */
export const removeInstanceFiles = async (folder: string): Promise<void> => {
  for (const name of Object.values(names)) await rm(join(folder, name), { recursive: true, force: true });
};

/** What a Unix socket's path may be long, less `/.s.PGSQL.65535` and what a partial name adds. */
const longestSocketFolder = 107 - 15 - ".partial".length;

/** @throws RefloatError target.failed when the path is too long for a socket */
const socketFolderOf = (folder: string): string => {
  const path = join(folder, names.sockets);
  if (Buffer.byteLength(path) <= longestSocketFolder) return path;
  throw new RefloatError("target.failed", `${path} is too long for a socket of a server`, {
    hint: "a Unix socket's path has at most 107 bytes: keep the data folder under a shorter path",
  });
};

/** Lines of the original about TCP: who could come by loopback still can, by the same way of proving it. */
const tcpLinesOf = (text: string): readonly string[] =>
  text
    .split("\n")
    .filter((line) => /^\s*host(ssl|nossl|gssenc|nogssenc)?\s/.test(line) && !/\sreplication\s/.test(line));

const accessLines = async (folder: string): Promise<string> => {
  const original = await readFile(join(folder, "pg_hba.conf"), "utf8").catch(() => "");
  const lines = [
    // The socket lies in a folder that only the owner may enter.
    "local all,replication all trust",
    ...tcpLinesOf(original),
    "host all all 127.0.0.1/32 md5",
  ];
  return `${lines.join("\n")}\n`;
};

const give = async (path: string, { uid, gid }: Owner): Promise<void> => {
  if (process.getuid?.() === 0) await lchown(path, uid, gid);
};

/** Writes what the server of the instance is started with. Only in its folder, and only once it is restored. */
export const writeInstanceFiles = async (folder: string, port: number, owner: Owner): Promise<void> => {
  const sockets = socketFolderOf(folder);
  await mkdir(sockets, { recursive: true, mode: 0o700 });
  await chmod(sockets, 0o700);
  await writeFile(join(folder, names.configuration), `port = ${port}\n`, { mode: 0o600 });
  await writeFile(join(folder, names.access), await accessLines(folder), { mode: 0o600 });
  await writeFile(join(folder, names.people), "", { mode: 0o600 });
  await writeFile(join(folder, names.log), "", { mode: 0o600 });
  for (const name of Object.values(names)) await give(join(folder, name), owner);
};

const portPattern = /^port = (\d+)$/m;

/** The port that an instance was given; null for a folder that is none, or is not any more. */
export const instancePortOf = async (folder: string): Promise<number | null> => {
  const path = join(folder, names.configuration);
  if (!(await pathExists(path))) return null;
  const port = portPattern.exec(await readFile(path, "utf8"))?.[1];
  return port === undefined ? null : Number(port);
};

/**
 * For any server on restored data: no word to or from others, nothing loaded, and as large as its log asks for.
 * @param atLeast what its control file says
 */
export const quietSettings = (atLeast: Readonly<Record<string, string>>) => ({
  ssl: "off",
  logging_collector: "off",
  log_destination: "stderr",
  shared_preload_libraries: "",
  local_preload_libraries: "",
  session_preload_libraries: "",
  hot_standby: "off",
  huge_pages: "off",
  // One call for the disk in place of one for each of thousands of files.
  recovery_init_sync_method: "syncfs",
  shared_buffers: "128MB",
  max_connections: atLeast["max_connections"] ?? "100",
  max_prepared_transactions: atLeast["max_prepared_xacts"] ?? "0",
  max_locks_per_transaction: atLeast["max_locks_per_xact"] ?? "64",
  max_wal_senders: "10",
  archive_mode: "off",
  max_logical_replication_workers: "0",
  synchronous_standby_names: "",
});

/** Given on the command line, which nothing in a file overrides. */
const settingsFor = (folder: string, port: number, atLeast: Readonly<Record<string, string>>) => ({
  listen_addresses: "127.0.0.1",
  port: String(port),
  unix_socket_directories: socketFolderOf(folder),
  hba_file: join(folder, names.access),
  ident_file: join(folder, names.people),
  ...quietSettings(atLeast),
});

/**
 * Starts it, or finds it running.
 * @param recovery settings for the first start, which replays the log
 * @throws RefloatError target.failed, program.missing
 */
export const startInstance = async (
  context: ClusterContext,
  folder: string,
  recovery: Readonly<Record<string, string>> = {},
): Promise<Postmaster> => {
  const running = await findPostmaster(folder);
  if (running?.ready === true) return running;
  const port = await instancePortOf(folder);
  if (port === null)
    throw new RefloatError(
      "target.failed",
      `${folder} is no restored cluster that could be started beside the live one`,
    );
  const { settings } = await readControlData(context, folder);
  const all = { ...settingsFor(folder, port, settings), ...recovery };
  const options = [
    "-c",
    `config_file=${join(folder, names.configuration)}`,
    ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
  return startPostmaster(context, folder, {
    options: options.map(shellWord).join(" "),
    log: join(folder, names.log),
  });
};

/** How Refloat itself reaches the instance: by its socket, as the role of the url, whatever its password was when it was captured. */
export const instanceSocketTarget = async (context: ClusterContext, folder: string): Promise<ConnectionTarget> => {
  const port = await instancePortOf(folder);
  if (port === null)
    throw new RefloatError("source.failed", `${folder} is no restored cluster that stands beside the live one`);
  const target = await resolveTarget(context);
  return { ...target, host: socketFolderOf(folder), port, password: null, tls: "disable", tlsRootCertificate: null };
};

/** How dependents reach it. */
export const instanceTcpTarget = async (context: ClusterContext, folder: string): Promise<ConnectionTarget> => ({
  ...(await instanceSocketTarget(context, folder)),
  host: "127.0.0.1",
  password: (await resolveTarget(context)).password,
});
