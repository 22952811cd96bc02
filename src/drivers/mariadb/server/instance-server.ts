/**
 * The server of a restored folder until it is switched: a port of its own on loopback, no configuration file, no binary log, no events, nobody that it follows,
 * and no engine that reaches other servers. Refloat is let in by a user of its own, which each start makes anew and the switch removes.
 */
import { randomBytes } from "node:crypto";
import { lchown, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RefloatError } from "../../../model/refloat-error.ts";
import { ownerOf } from "../../../platform/folder-server/folder-owner.ts";
import { startApart } from "../../../platform/folder-server/start-apart.ts";
import { hideText } from "../../../platform/secret.ts";
import { lastLines } from "../../../platform/shell-line.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import { type MariadbTarget, resolveTarget } from "../connection-target.ts";
import { errorNumberOf } from "../server-errors.ts";
import { type SqlAccess, runSql } from "../sql-client.ts";
import { plainLiteral, quoteName } from "../sql-text.ts";
import type { Counts } from "./captured-server.ts";
import { takeMark } from "./position.ts";
import type { ServerContext } from "./server-options.ts";
import { endServer, isServed } from "./server-process.ts";
import { findServerProgram } from "./server-programs.ts";

const names = {
  record: "refloat-instance.json",
  access: "refloat-instance.sql",
  socket: "refloat-instance.sock",
  log: "refloat-instance.log",
  pid: "refloat-instance.pid",
  temporary: "refloat-instance.tmp",
} as const;

const recordSchema = z.object({
  port: z.int(),
  /** Of the server whose files they are. */
  version: z.string(),
  settings: z.record(z.string(), z.string()),
  password: z.string(),
});
export type InstanceRecord = z.infer<typeof recordSchema>;

export const ownUser = "refloat-instance";
const ownAccount = `${quoteName(ownUser)}@${quoteName("localhost")}`;

/** Letters of each kind, for a server that asks for them. */
const makePassword = (): string => `aA1!${randomBytes(24).toString("base64url")}`;

/** What a Unix socket's path may be long, less what a partial name adds. */
const longestSocket = 107 - ".partial".length;

const give = async (path: string, folder: string, signal: AbortSignal): Promise<void> => {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await ownerOf(folder, signal);
  await lchown(path, uid, gid);
};

/**
 * What lets Refloat in, as a user that may do everything, and where the server keeps temporary tables.
 * @param folder the data folder, once it is the owner's @returns the password of `ownUser`
 */
export const writeInstanceAccess = async (folder: string, signal: AbortSignal): Promise<string> => {
  // A server that starts removes the temporary tables that it finds: not those of the live one.
  await mkdir(join(folder, names.temporary), { recursive: true, mode: 0o700 });
  await give(join(folder, names.temporary), folder, signal);
  const password = makePassword();
  const statements = [
    `CREATE OR REPLACE USER ${ownAccount} IDENTIFIED BY ${plainLiteral(password)};`,
    `GRANT ALL PRIVILEGES ON *.* TO ${ownAccount} WITH GRANT OPTION;`,
  ];
  const path = join(folder, names.access);
  await writeFile(path, `${statements.join("\n")}\n`, { mode: 0o600 });
  await give(path, folder, signal);
  return password;
};

/** Only in its folder, and only once that is the owner's. @throws RefloatError target.failed when the path is too long for a socket */
export const writeInstanceFiles = async (
  folder: string,
  record: Omit<InstanceRecord, "password">,
  signal: AbortSignal,
): Promise<void> => {
  const socket = join(folder, names.socket);
  if (Buffer.byteLength(socket) > longestSocket)
    throw new RefloatError("target.failed", `${socket} is too long for a socket of a server`, {
      hint: "a Unix socket's path has at most 107 bytes: keep the data folder under a shorter path",
    });
  const password = await writeInstanceAccess(folder, signal);
  const path = join(folder, names.record);
  await writeFile(path, JSON.stringify({ ...record, password }), { mode: 0o600 });
  await give(path, folder, signal);
};

/** Null for a folder that is no instance, or is none any more. */
export const readInstanceRecord = async (folder: string): Promise<InstanceRecord | null> => {
  const path = join(folder, names.record);
  return (await pathExists(path)) ? recordSchema.parse(JSON.parse(await readFile(path, "utf8"))) : null;
};

const requireRecord = async (folder: string): Promise<InstanceRecord> => {
  const record = await readInstanceRecord(folder);
  if (record !== null) return record;
  throw new RefloatError("target.failed", `${folder} is no restored server that stands beside the live one`);
};

/** Which engines reach other servers: rows that are replayed would be written there. */
const engines = ["federated", "spider", "connect", "s3"];

/** The folder is where it works, so that it may get another name meanwhile. */
export const instanceWords = (
  folder: string,
  { port, settings }: Pick<InstanceRecord, "port" | "settings">,
  isAlone: boolean,
): readonly string[] => [
  "--no-defaults",
  `--datadir=${folder}`,
  `--socket=${join(folder, names.socket)}`,
  `--pid-file=${join(folder, names.pid)}`,
  `--tmpdir=${join(folder, names.temporary)}`,
  `--ignore-db-dirs=${names.temporary}`,
  `--init-file=${join(folder, names.access)}`,
  `--port=${port}`,
  "--bind-address=127.0.0.1",
  ...(isAlone ? ["--skip-networking"] : []),
  "--skip-log-bin",
  "--skip-slave-start",
  "--event-scheduler=OFF",
  "--slave-run-triggers-for-rbr=NO",
  "--skip-symbolic-links",
  "--loose-wsrep-on=OFF",
  "--loose-innodb-buffer-pool-dump-at-shutdown=OFF",
  "--max-allowed-packet=1G",
  ...engines.map((engine) => `--loose-plugin-${engine}=OFF`),
  ...Object.entries(settings).map(([name, value]) => `--loose-${name.replaceAll("_", "-")}=${value}`),
];

const socketTarget = (target: MariadbTarget, folder: string, { password }: InstanceRecord): MariadbTarget => ({
  ...target,
  host: null,
  socket: join(folder, names.socket),
  user: ownUser,
  password: hideText(password),
  database: "",
  tls: "disable",
  tlsRootCertificate: null,
});

/** How Refloat itself reaches the instance, whatever passwords its users had when it was captured. */
export const instanceAccess = async (context: ServerContext, folder: string): Promise<SqlAccess> => ({
  target: socketTarget(await resolveTarget(context, "server"), folder, await requireRecord(folder)),
  role: "target",
  marker: context.marker,
  signal: context.signal,
});

/** How dependents reach it: as the user of the url, whose password is that of the point. */
export const instanceTcpTarget = async (context: ServerContext, folder: string): Promise<MariadbTarget> => ({
  ...(await resolveTarget(context, "server")),
  host: "127.0.0.1",
  port: (await requireRecord(folder)).port,
  socket: null,
  tls: "disable",
  tlsRootCertificate: null,
});

const lookAgainMs = 50;
const linesShown = 6;
/** How long one that was just started may take to be seen. */
const seenMs = 30_000;
/** After a crash InnoDB reads all of its log first. */
const readyMs = 600_000;

/** Does a server that has just been started let us in? @throws RefloatError what waiting does not mend */
export const letsUsIn = async (access: SqlAccess): Promise<boolean> => {
  try {
    await runSql(access, "SELECT 1;");
    return true;
  } catch (error) {
    access.signal.throwIfAborted();
    // Until it has read the file that makes the user.
    if (error instanceof RefloatError && (error.code === "source.unreachable" || errorNumberOf(error) === 1045))
      return false;
    throw error;
  }
};

const doesNotStart = async (folder: string, why: string): Promise<RefloatError> => {
  const log = await readFile(join(folder, names.log), "utf8").catch(() => "");
  return new RefloatError("target.failed", `the server in ${folder} ${why}: ${lastLines(log, linesShown)}`, {
    hint: `what it says stands in ${join(folder, names.log)}`,
  });
};

/**
 * Starts it, or finds it running, and waits until it takes work.
 * @param isAlone only who may enter its folder reaches it @throws RefloatError target.failed, program.missing, program.version
 */
export const startInstance = async (
  context: ServerContext,
  folder: string,
  { isAlone = false }: { readonly isAlone?: boolean } = {},
): Promise<SqlAccess> => {
  const record = await requireRecord(folder);
  const access = await instanceAccess(context, folder);
  let seen = await isServed(folder);
  if (!seen) {
    const { path } = await findServerProgram(context, "mariadbd", record.version);
    const owner = await ownerOf(folder, context.signal);
    const isRoot = owner.uid === 0 ? ["--user=root"] : [];
    const words = [path, ...instanceWords(folder, record, isAlone), ...isRoot];
    await startApart(context, owner, { folder, log: names.log, words });
  }
  const beganMs = context.clock.monotonicMs();
  for (;;) {
    const runs = await isServed(folder);
    if (runs && (await letsUsIn(access))) return access;
    const isLate = context.clock.monotonicMs() - beganMs > (runs ? readyMs : seenMs);
    if (isLate || (!runs && seen)) throw await doesNotStart(folder, runs ? "does not answer" : "does not start");
    seen ||= runs;
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

/**
 * Ends the server of an instance and takes away what made it one; at the stable place its own configuration counts.
 * @returns its life and what it has counted; null for a folder that is no instance @throws RefloatError fence.failed
 */
export const quietInstance = async (
  context: ServerContext,
  folder: string,
): Promise<{ readonly from: string; readonly counts: Counts } | null> => {
  let end: { readonly from: string; readonly counts: Counts } | null = null;
  if ((await readInstanceRecord(folder)) !== null) {
    const access = await startInstance(context, folder);
    const { life, counts } = await takeMark(access, folder, false);
    if (life !== null && counts !== null) end = { from: life, counts };
    await runSql(access, `DROP USER IF EXISTS ${ownAccount};`);
  }
  await endServer(context, folder, "SIGTERM");
  for (const name of Object.values(names)) await rm(join(folder, name), { recursive: true, force: true });
  return end;
};
