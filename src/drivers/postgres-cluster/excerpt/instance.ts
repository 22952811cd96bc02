/** A temporary server on a skeleton of a captured cluster: made, asked, removed. What is wanted of it, and whether it has that, is not decided here. */
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesBefore } from "../../../core/logs/log-position.ts";
import type { ExcerptRequest } from "../../../core/ports/excerpts.ts";
import { formatBytes } from "../../../core/text/quantity.ts";
import { requireRoom } from "../../../platform/folder-server/require-room.ts";
import { partialName } from "../../../platform/partial-names.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import type { CapturedDetail } from "../cluster-facts.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { disarm } from "../disarm.ts";
import { giveTree } from "../../../platform/folder-server/folder-owner.ts";
import { futureOwner } from "../owned-folders.ts";
import { type Recovery, prepareRecovery } from "../recovery.ts";
import { findServerPrograms } from "../server-programs.ts";
import { type Choice, hollowRelations } from "./choose-files.ts";
import type { ExcerptWish } from "./excerpt-name.ts";
import { judgeWarnings } from "./judge-warnings.ts";
import { openAsSuperuser } from "./superuser-session.ts";
import { type SkeletonSource, chosenBytes, makeSkeleton } from "./skeleton.ts";
import {
  type ServerPlace,
  type TemporaryServer,
  serverPort,
  startTemporaryServer,
  writeServerFiles,
} from "./temporary-server.ts";

/** What a server makes for itself: log, catalogs that it writes anew, the end of a recovery. */
const ownBytes = 128 * 1_048_576;
/** What a Unix socket's path may be long, less its name. */
const longestSocketFolder = 107 - `/.s.PGSQL.${serverPort}`.length;

export type Attempt = {
  readonly context: ClusterContext;
  readonly detail: CapturedDetail;
  readonly source: SkeletonSource;
  /** Who may be asked as, likeliest first. */
  readonly superusers: readonly string[];
  readonly name: ExcerptWish;
  readonly request: ExcerptRequest;
};

const logBytesOf = ({ detail, request: { replay } }: Attempt): number =>
  replay === null ? 0 : Number(bytesBefore(replay.to) - bytesBefore(detail.startLsn));

/** The log is kept while it is replayed, and brings about as much into the hollow files. */
const roomFor = (attempt: Attempt, choice: Choice): number =>
  chosenBytes(attempt.source.files, choice) + 2 * logBytesOf(attempt) + ownBytes;

export type Instance = {
  readonly place: ServerPlace;
  /** Relations of which only the length is there, by `relationKey`. */
  readonly hollow: ReadonlySet<string>;
  /** As a superuser. @throws RefloatError with the server's SQLSTATE in its cause */
  readonly connect: (database: string) => Promise<Session>;
  /** Stops the server. @throws when it has said something of its log that is not to be overlooked */
  readonly end: () => Promise<void>;
  /** Stops it and removes all of it. Idempotent. */
  readonly remove: () => Promise<void>;
};

const connectAs = (
  { context: { marker, signal }, superusers }: Attempt,
  sockets: string,
  database: string,
): Promise<Session> => {
  const where = { host: sockets, port: serverPort, password: null, tls: "disable", tlsRootCertificate: null } as const;
  return openAsSuperuser(superusers, { target: { ...where, user: "", database }, marker, role: "source", signal });
};

const asItStood: Recovery = { settings: {}, end: async () => undefined };

/** A log that could not be read is why a server gives up: that is thrown then. */
const untilReady = async (server: TemporaryServer, recovery: Recovery): Promise<void> => {
  let failure: { readonly reason: unknown } | null = null;
  try {
    await server.ready();
  } catch (reason) {
    failure = { reason };
  }
  await recovery.end();
  if (failure !== null) throw failure.reason;
};

/** @throws RefloatError target.failed, program.missing, log.*, vault.*, ...; nothing of it is left then */
export const makeInstance = async (attempt: Attempt, choice: Choice): Promise<Instance> => {
  const { context, detail, source, request } = attempt;
  const { signal } = context;
  await requireRoom(attempt.context, roomFor(attempt, choice));
  const programs = await findServerPrograms(context, detail.major);
  const owner = await futureOwner(context, null, detail);
  const root = partialName(join(tmpdir(), "excerpt"));
  const within = join(root, "run");
  const sockets = Buffer.byteLength(within) <= longestSocketFolder ? within : partialName("/tmp/excerpt");
  const folders = [root, ...(sockets === within ? [] : [sockets])];
  let stop: TemporaryServer["stop"] = async () => undefined;
  const remove = async (): Promise<void> => {
    await stop();
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const folder of [root, sockets]) await mkdir(folder, { mode: 0o700 });
    const amount = formatBytes(chosenBytes(source.files, choice));
    let readBytes = 0;
    const data = await makeSkeleton(source, choice, root, signal, ({ bytes }) => {
      readBytes += bytes;
      request.stage(`reading ${formatBytes(readBytes)} of ${amount}`);
    });
    await disarm(data, detail, "extract");
    const place: ServerPlace = { root, data, sockets, owner, programs, major: detail.major };
    await writeServerFiles(place);
    for (const folder of folders) await giveTree(folder, owner, signal);
    const recovery = source.isBackup
      ? await prepareRecovery(context, { stable: null, folder: data, owner }, detail, request.replay, [])
      : asItStood;
    request.stage(source.isBackup ? `replaying the log to ${request.replay?.to ?? detail.endLsn}` : "starting");
    const hollow = hollowRelations(choice, source.files);
    const heard = judgeWarnings({ hollow, databases: new Set(detail.databases.map(({ oid }) => oid)) });
    const server = await startTemporaryServer(context, place, recovery.settings, heard).catch(
      async (error: unknown) => {
        await recovery.end();
        throw error;
      },
    );
    stop = server.stop;
    await untilReady(server, recovery);
    return { place, hollow, connect: (database) => connectAs(attempt, sockets, database), end: server.end, remove };
  } catch (error) {
    await remove();
    throw error;
  }
};
