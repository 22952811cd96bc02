/**
 * A throw-away PostgreSQL cluster for tests, examples and benchmarks: a free port on 127.0.0.1, a private socket folder, everything in
 * one temporary folder. As root the server runs as the user `postgres`, since PostgreSQL refuses root. Not for data that anyone wants
 * to keep: without `durable` nothing is synced to disk.
 */
import { constants } from "node:fs";
import { access, chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "../platform/subprocess.ts";
import { findFreePort } from "./free-port.ts";
import { newerRelease } from "./newer-postgres.ts";

export type PostgresServerOptions = {
  /** Folder to make and own; a new temporary one when left out. Its parents must let the user `postgres` pass. */
  readonly directory?: string;
  /** Password of the superuser, then asked on every connection; without one everybody on this machine is trusted. */
  readonly password?: string;
  /** As Debian sets a server up: who comes by the socket is let in by his system name alone. With `password` for TCP. */
  readonly peer?: boolean;
  /** Lines for postgresql.conf: `{ wal_level: "minimal" }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Sync to disk as a real server does. */
  readonly durable?: boolean;
  /** Each page protects itself, as by `initdb --data-checksums`. */
  readonly pageChecksums?: boolean;
  /** Folder with initdb and pg_ctl; the newest installed one when left out. */
  readonly binaries?: string | undefined;
};

export type PostgresServer = {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly superuser: "postgres";
  readonly directory: string;
  readonly socketDirectory: string;
  /** Folder that holds pg_dump, pg_restore, psql and the rest. */
  readonly binaries: string;
  /** `postgres://USER@127.0.0.1:PORT/DATABASE`, without a password. */
  readonly url: (database: string, user?: string) => string;
  /** Stops at once, as a crash does, without removing anything; `start` recovers it on the same port. */
  readonly crash: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** Stops the server and removes its folder. Idempotent. */
  readonly stop: () => Promise<void>;
};

type Account = { readonly uid: number; readonly gid: number } | null;

const executable = async (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

const debianFolders = async (): Promise<string[]> => {
  const root = "/usr/lib/postgresql";
  const versions = await readdir(root).catch(() => []);
  return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(root, version, "bin"));
};

/** @throws RefloatError program.missing naming the Debian package */
export const findPostgresBinaries = async (): Promise<string> => {
  // A whole suite can be run on another release: REFLOAT_TEST_POSTGRES=17.
  const chosen = process.env["REFLOAT_TEST_POSTGRES"];
  if (chosen !== undefined) {
    const { name, binaries } = newerRelease(Number(chosen));
    if (binaries === undefined) throw new RefloatError("program.missing", name);
    return binaries;
  }
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of [...(await debianFolders()), ...onPath]) {
    if ((await executable(join(folder, "initdb"))) && (await executable(join(folder, "pg_ctl")))) return folder;
  }
  throw new RefloatError("program.missing", "the PostgreSQL server programs initdb and pg_ctl are not installed", {
    hint: "they were looked for under /usr/lib/postgresql/*/bin and on the path",
    nextCommand: "apt-get install postgresql",
  });
};

/** The account that the server runs as: nobody else when we are not root. */
const serverAccount = async (): Promise<Account> => {
  if (process.getuid?.() !== 0) return null;
  const passwd = await readFile("/etc/passwd", "utf8");
  const fields = passwd
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name]) => name === "postgres");
  if (fields === undefined) {
    throw new RefloatError("program.missing", "there is no user postgres to run the server as, and it refuses root", {
      nextCommand: "apt-get install postgresql",
    });
  }
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
};

/** A Unix socket's path may have 107 bytes; a deep TMPDIR would make the server fail to start. */
const temporaryRoot = (): string => (tmpdir().length > 60 ? "/tmp" : tmpdir());

const ownFolder = async (path: string, account: Account): Promise<void> => {
  await mkdir(path, { mode: 0o700, recursive: true });
  await chmod(path, 0o700);
  if (account !== null) await chown(path, account.uid, account.gid);
};

const quoteSetting = (value: string | number): string => `'${String(value).replaceAll("'", "''")}'`;

const configuration = (options: PostgresServerOptions, socketDirectory: string): string => {
  const settings: Record<string, string | number> = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: socketDirectory,
    shared_buffers: "64MB",
    max_connections: 60,
    log_min_messages: "warning",
    ...(options.durable === true ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
    ...options.settings,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${quoteSetting(value)}\n`)
    .join("");
};

/** @throws RefloatError program.missing, program.failed with the last lines of the server's log */
export const startPostgresServer = async (options: PostgresServerOptions = {}): Promise<PostgresServer> => {
  const binaries = options.binaries ?? (await findPostgresBinaries());
  const account = await serverAccount();
  const directory = options.directory ?? (await mkdtemp(join(temporaryRoot(), "refloat-postgres-")));
  const data = join(directory, "data");
  const socketDirectory = join(directory, "run");
  const logFile = join(directory, "server.log");
  const never = new AbortController().signal;
  const run = (program: string, args: readonly string[]) =>
    runProgram(join(binaries, program), args, { signal: never, cwd: directory, ...account });
  const control = (...args: string[]) => run("pg_ctl", ["-D", data, "-s", "-w", "-t", "300", ...args]);
  const running = (): Promise<boolean> =>
    control("status").then(
      () => true,
      () => false,
    );
  const halt = async (mode: "fast" | "immediate"): Promise<void> => {
    if (await running()) await control("-m", mode, "stop");
  };
  const stop = async (): Promise<void> => {
    // `immediate` also ends sessions that hold out against `fast`; the data is thrown away anyway.
    await halt("immediate");
    await rm(directory, { recursive: true, force: true });
  };
  const startOn = async (port: number): Promise<void> => {
    try {
      await control("-l", logFile, "-o", `-p ${port}`, "start");
    } catch (error) {
      const said = (await readFile(logFile, "utf8").catch(() => "")).trimEnd().split("\n").slice(-8).join("\n");
      throw new RefloatError("program.failed", `the test server did not start: ${said}`, { cause: error });
    }
  };
  /** Another program may take the free port before the server does. */
  const startOnFreePort = async (attemptsLeft: number): Promise<number> => {
    const port = await findFreePort();
    try {
      await startOn(port);
      return port;
    } catch (error) {
      if (attemptsLeft > 1 && String(error).includes("could not create any TCP/IP sockets")) {
        return startOnFreePort(attemptsLeft - 1);
      }
      throw error;
    }
  };

  try {
    await ownFolder(directory, account);
    await ownFolder(socketDirectory, account);
    const passwordFile = join(directory, "superuser-password");
    if (options.password !== undefined) {
      await writeFile(passwordFile, options.password, { mode: 0o600 });
      if (account !== null) await chown(passwordFile, account.uid, account.gid);
    }
    const authentication =
      options.password === undefined ? ["--auth", "trust"] : ["--auth", "scram-sha-256", "--pwfile", passwordFile];
    if (options.peer === true) authentication.push("--auth-local", "peer");
    const identity = ["--username", "postgres", "--encoding", "UTF8", "--locale", "C.UTF-8"];
    const checksums = options.pageChecksums === true ? ["--data-checksums"] : [];
    await run("initdb", ["--pgdata", data, "--no-sync", ...identity, ...authentication, ...checksums]);
    await rm(passwordFile, { force: true });
    await writeFile(join(data, "postgresql.conf"), configuration(options, socketDirectory));
    const port = await startOnFreePort(5);
    return {
      host: "127.0.0.1",
      port,
      superuser: "postgres",
      directory,
      socketDirectory,
      binaries,
      url: (database, user = "postgres") =>
        `postgres://${encodeURIComponent(user)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
      crash: () => halt("immediate"),
      start: () => startOn(port),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};
