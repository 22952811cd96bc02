/**
 * Hands the log that follows a base backup to a server that recovers: files of whole segments in a folder, fetched from the vault several at a time
 * and ahead of need, never more than a few. The server asks for them by a small script, its `restore_command`. The last one ends at the
 * position that is meant: there the log ends for the server, so that no target is needed, which would be fatal where nothing follows it.
 */
import { chown, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import type { Clock } from "../../core/ports/environment.ts";
import type { LogReader } from "../../core/ports/vault-logs.ts";
import type { Owner } from "../../platform/folder-server/folder-owner.ts";

/** What a server may be given before it has asked for it. */
const segmentsAhead = 8;
const fetchedAtOnce = 3;
const lookAgainMs = 10;

/**
 * Exit status over 125 stops a recovery; 1 says that there is no such file. A second name costs nothing where a copy is 16 MB; by the time the
 * server writes into a file that it has replayed, the first name is long forgotten.
 */
const script = `#!/bin/sh
# Gives PostgreSQL the log file $1 as $2, from the folder $3.
to=$PWD/$2
cd "$3" || exit 200
if [ -f "histories/$1" ]; then exec cp "histories/$1" "$to"; fi
grep -qx "$1" expected || exit 1
: > "asked/$1"
while [ ! -f "ready/$1" ]; do
  [ -d ready ] && [ ! -f failed ] || exit 200
  sleep 0.02
done
ln "ready/$1" "$to" 2> /dev/null || exec cp "ready/$1" "$to"
`;

/** As PostgreSQL names the file of a segment. */
export const segmentName = (timeline: number, segment: bigint, segmentBytes: number): string => {
  const perLog = 0x1_0000_0000n / BigInt(segmentBytes);
  return [BigInt(timeline), segment / perLog, segment % perLog]
    .map((part) => part.toString(16).toUpperCase().padStart(8, "0"))
    .join("");
};

/** The first segment that is not in a base backup: its last one is closed when it ends. */
export const segmentAfter = (endLsn: string, segmentBytes: number): bigint =>
  (bytesBefore(endLsn) - 1n) / BigInt(segmentBytes) + 1n;

export type LogFeedRequest = {
  /** Who runs the server: the files are its own. */
  readonly owner: Pick<Owner, "uid" | "gid">;
  readonly logs: LogReader;
  readonly line: string;
  readonly timeline: number;
  readonly segmentBytes: number;
  /** First segment, and the position where the log is to end. */
  readonly first: bigint;
  readonly to: string;
  readonly signal: AbortSignal;
  readonly clock: Clock;
};

export type LogFeed = {
  /** Resolves when it was stopped; throws what the vault said when a part of the log could not be read. */
  readonly stop: () => Promise<void>;
};

const scriptName = "fetch";

/** A value for `restore_command`. */
export const feedCommand = (spool: string, quote: (word: string) => string): string =>
  `/bin/sh ${quote(join(spool, scriptName))} %f %p ${quote(spool)}`;

/** What the script reads, before the server asks for the first time. @param owner who runs the server */
export const makeSpool = async (spool: string, owner: Pick<Owner, "uid" | "gid">): Promise<void> => {
  for (const path of [spool, ...["histories", "asked", "ready"].map((name) => join(spool, name))]) {
    await mkdir(path, { mode: 0o700 });
    if (process.getuid?.() === 0) await chown(path, owner.uid, owner.gid);
  }
  await writeFile(join(spool, "expected"), "");
  await writeFile(join(spool, scriptName), script);
};

const fetchSegment = async (spool: string, name: string, request: LogFeedRequest, segment: bigint): Promise<void> => {
  const from = segment * BigInt(request.segmentBytes);
  const end = from + BigInt(request.segmentBytes);
  const last = bytesBefore(request.to);
  const to = positionAfter(last < end ? last : end);
  const temporary = join(spool, `${name}.part`);
  const file = await open(temporary, "w", 0o600);
  try {
    // Zeros after its end, as the server itself leaves them.
    await file.truncate(request.segmentBytes);
    let at = 0;
    for await (const piece of request.logs.read(request.line, positionAfter(from), to, { transient: true })) {
      request.signal.throwIfAborted();
      // A short write would leave zeros, where the server takes its log to end.
      for (let written = 0; written < piece.length;) {
        const { bytesWritten } = await file.write(piece, written, piece.length - written, at);
        written += bytesWritten;
        at += bytesWritten;
      }
    }
  } finally {
    await file.close();
  }
  if (process.getuid?.() === 0) await chown(temporary, request.owner.uid, request.owner.gid);
  await rename(temporary, join(spool, "ready", name));
};

/** Begins to fetch. */
export const startLogFeed = async (spool: string, request: LogFeedRequest): Promise<LogFeed> => {
  const { timeline, segmentBytes, first, clock } = request;
  const last = (bytesBefore(request.to) - 1n) / BigInt(segmentBytes);
  const names = Array.from({ length: Number(last - first) + 1 }, (_, at) =>
    segmentName(timeline, first + BigInt(at), segmentBytes),
  );
  const indexOf = new Map(names.map((name, index) => [name, index]));
  await writeFile(join(spool, "expected"), names.map((name) => `${name}\n`).join(""));
  const stopping = new AbortController();
  const signal = AbortSignal.any([request.signal, stopping.signal]);
  let failure: { readonly reason: unknown } | null = null;

  /** How far the server is. It may ask for the file that it reads once more. */
  const askedFor = async (): Promise<number> =>
    (await readdir(join(spool, "asked"))).reduce((most, name) => Math.max(most, indexOf.get(name) ?? -1), -1);
  const forget = async (before: number): Promise<void> => {
    for (const name of await readdir(join(spool, "ready")))
      if ((indexOf.get(name) ?? names.length) < before) await rm(join(spool, "ready", name));
  };
  const feed = async (): Promise<void> => {
    const underWay = new Set<Promise<void>>();
    try {
      for (const [index, name] of names.entries()) {
        for (;;) {
          const asked = await askedFor();
          await forget(asked - 1);
          if (index <= asked + segmentsAhead && underWay.size < fetchedAtOnce) break;
          await (underWay.size >= fetchedAtOnce ? Promise.race(underWay) : clock.sleep(lookAgainMs, signal));
        }
        signal.throwIfAborted();
        if (failure !== null) break;
        const fetching = fetchSegment(spool, name, { ...request, signal }, first + BigInt(index)).finally(() =>
          underWay.delete(fetching),
        );
        fetching.catch((reason: unknown) => {
          failure ??= { reason };
        });
        underWay.add(fetching);
      }
      await Promise.all(underWay);
    } catch (reason) {
      failure ??= { reason };
    }
    await Promise.allSettled(underWay);
    if (stopping.signal.aborted && !request.signal.aborted) failure = null;
    // The server, which waits for the next file, gives up.
    if (failure !== null) await writeFile(join(spool, "failed"), "");
  };
  const feeding = feed();
  return {
    stop: async () => {
      stopping.abort();
      await feeding;
      if (failure !== null) throw failure.reason;
    },
  };
};
