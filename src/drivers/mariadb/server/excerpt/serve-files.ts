/**
 * A MariaDB server on a private copy of files, for as long as it is asked: reached by a socket in a private folder alone, without events, network, binary log or engines
 * that reach other servers. It ends when we do, however that comes, and its folder goes with the next one then.
 */
import { chmod, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pLimit from "p-limit";
import { formatBytes } from "../../../../core/text/quantity.ts";
import type { RefloatError } from "../../../../model/refloat-error.ts";
import { eachOf } from "../../../../platform/each-of.ts";
import { type ChildServer, startChildServer } from "../../../../platform/folder-server/child-server.ts";
import { type Owner, giveTree } from "../../../../platform/folder-server/folder-owner.ts";
import { writeInFull } from "../../../../platform/folder-server/write-in-full.ts";
import { requireRoom } from "../../../../platform/folder-server/require-room.ts";
import { partialName, sweepPartials } from "../../../../platform/partial-names.ts";
import { hideText } from "../../../../platform/secret.ts";
import { shareBlocks } from "../../../../platform/share-blocks.ts";
import { translateSystemErrors } from "../../../../platform/system-error.ts";
import type { SqlAccess } from "../../sql-client.ts";
import type { CapturedServer } from "../captured-server.ts";
import { instanceWords, letsUsIn, ownUser, writeInstanceAccess } from "../instance-server.ts";
import type { ServerContext } from "../server-options.ts";
import { serverOwner } from "../server-owner.ts";
import type { CapturedFile } from "./choose-files.ts";

export type TemporaryServer = {
  /** As a user that may do everything, in the database that was asked for, which may not be there. */
  readonly access: SqlAccess;
  /** Ends it and removes all of it. Idempotent; never throws for the server. */
  readonly close: () => Promise<void>;
};

export type ServedFiles = {
  readonly files: readonly CapturedFile[];
  readonly server: Pick<CapturedServer, "settings" | "owner">;
  /** Path of mariadbd. */
  readonly program: string;
  readonly database: string;
  /** What goes on now, in a person's words. */
  readonly stage: (what: string) => void;
  /** What is left to do with the files before they are their owner's. */
  readonly arrange: (data: string) => Promise<void>;
  /** And before a server starts on them. */
  readonly prepare: (data: string, owner: Owner) => Promise<void>;
  /** Why it has not come up. @param said its last words */
  readonly explain: (said: string) => RefloatError;
  /** What is left to do once it takes work. @param accessTo by the name of a database */
  readonly begin: (accessTo: (database: string) => SqlAccess) => Promise<void>;
};

/** What a server makes for itself: redo log, temporary tables, undo. */
const ownBytes = 160 * 1_048_576;
const blockBytes = 4096;
/** A server has many small files, and a vault may be far away. */
const atOnce = 12;
/** What a Unix socket's path may be long, less its name. */
const longestSocketFolder = 107 - "/s".length;

const sizeOf = (files: readonly CapturedFile[]): number =>
  files.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / blockBytes) * blockBytes, 0);

/** What a server on these files takes. */
export const roomFor = (files: readonly CapturedFile[]): number => sizeOf(files) + ownBytes;

const writeFiles = async (
  files: readonly CapturedFile[],
  data: string,
  { context: { signal }, stage }: { readonly context: ServerContext; readonly stage: ServedFiles["stage"] },
): Promise<void> => {
  const amount = formatBytes(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  let readBytes = 0;
  for (const folder of new Set(files.map(({ path }) => dirname(path))))
    await mkdir(join(data, folder), { recursive: true, mode: 0o700 });
  const write = async (file: CapturedFile): Promise<void> => {
    const path = join(data, file.path);
    if (file.local === null || !(await shareBlocks(file.local, path))) await writeInFull(file.content(), path, signal);
    readBytes += file.sizeBytes;
    stage(`reading ${formatBytes(readBytes)} of ${amount}`);
  };
  // Whoever removes the folder after a failure meets no file that is still being made.
  await eachOf(files, pLimit(atOnce), signal, write);
};

/** Nobody needs any of it after a crash. */
const carelessWords = [
  "--loose-innodb-flush-log-at-trx-commit=0",
  "--loose-innodb-doublewrite=0",
  "--loose-innodb-log-file-size=32M",
  "--loose-innodb-stats-auto-recalc=OFF",
];

const lookAgainMs = 50;

/** The user of a folder in TMPDIR may be one that may not enter that. */
export const entryHint = "its folder is in TMPDIR, which its user has to be able to enter";

const untilReady = async (
  context: ServerContext,
  {
    server,
    access,
    explain,
  }: { readonly server: ChildServer; readonly access: SqlAccess; readonly explain: ServedFiles["explain"] },
): Promise<void> => {
  for (;;) {
    server.requireSound();
    if (server.hasEnded()) {
      await server.end();
      throw explain(server.lastWords());
    }
    if (await letsUsIn(access)) return;
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

type Place = {
  readonly data: string;
  readonly socket: string;
  readonly owner: Owner;
  /** Path of mariadbd. */
  readonly program: string;
};

const start = async (
  context: ServerContext,
  { data, socket, owner, program }: Place,
  { settings }: Pick<CapturedServer, "settings">,
): Promise<{ readonly server: ChildServer; readonly access: (database: string) => SqlAccess }> => {
  const password = hideText(await writeInstanceAccess(data, context.signal));
  const server = await startChildServer(context, owner, {
    words: [
      program,
      ...instanceWords(data, { port: 0, settings }, true),
      `--socket=${socket}`,
      ...carelessWords,
      ...(owner.uid === 0 ? ["--user=root"] : []),
    ],
    ending: "SIGKILL",
  });
  const access = (database: string): SqlAccess => ({
    target: {
      host: null,
      port: 0,
      socket,
      user: ownUser,
      password,
      database,
      tls: "disable",
      tlsRootCertificate: null,
    },
    role: "source",
    marker: context.marker,
    signal: context.signal,
  });
  return { server, access };
};

/** What is left when it fails is removed. @throws RefloatError target.failed, also when there is no room; as `prepare` and `begin` */
export const serveFiles = async (context: ServerContext, served: ServedFiles): Promise<TemporaryServer> => {
  const { signal } = context;
  const { files, stage, program, server: like } = served;
  for (const folder of new Set([tmpdir(), "/tmp"])) await sweepPartials(folder);
  await requireRoom(context, roomFor(files));
  const owner = await serverOwner(context, null, like);
  const root = partialName(join(tmpdir(), "excerpt"));
  const sockets = Buffer.byteLength(root) <= longestSocketFolder ? root : partialName("/tmp/excerpt");
  const folders = [...new Set([root, sockets])];
  let server: ChildServer | null = null;
  const close = async (): Promise<void> => {
    await server?.stop();
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  };
  const open = async (): Promise<SqlAccess> => {
    const data = join(root, "data");
    for (const folder of [...folders, data]) await mkdir(folder, { mode: 0o700 });
    await writeFiles(files, data, { context, stage });
    await served.arrange(data);
    await chmod(data, 0o700);
    for (const folder of folders) await giveTree(folder, owner, signal);
    await served.prepare(data, owner);
    stage("starting");
    const started = await start(context, { data, socket: join(sockets, "s"), owner, program }, like);
    server = started.server;
    await untilReady(context, { server, access: started.access(""), explain: served.explain });
    await served.begin(started.access);
    return started.access(served.database);
  };
  try {
    const access = await translateSystemErrors("target.failed", "a temporary server cannot be made in TMPDIR", open);
    return { access, close };
  } catch (error) {
    await close();
    throw error;
  }
};
