/** The log of a test server by its own archive, read as the vault would give it. */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { bytesBefore } from "../core/logs/log-position.ts";
import type { LogReader } from "../core/ports/vault-logs.ts";
import { segmentName } from "../drivers/postgres-cluster/log-feed.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { systemClock } from "../platform/system-clock.ts";
import { waitUntil } from "../platform/wait-until.ts";
import type { PostgresServer } from "./postgres-server.ts";
import { query } from "./query.ts";

export const segmentBytes = 16 * 1_048_576;

/** Settings of the server. */
export const archiving = { archive_mode: "on", archive_command: "mkdir -p ../archive && cp %p ../archive/%f" } as const;

export const archiveOf = (server: PostgresServer): string => join(server.directory, "archive");

export type LogFaults = {
  readonly refuse?: (segment: bigint) => boolean;
  /** Position in bytes whose byte is another one than was written. */
  readonly flip?: bigint;
};

/** Any bytes of one line, in pieces. */
export const archivedLog = (archive: string, { refuse = () => false, flip }: LogFaults = {}): LogReader => ({
  spans: [],
  history: async () => null,
  read: async function* read(_line, from, to) {
    const end = bytesBefore(to);
    for (let at = bytesBefore(from); at < end;) {
      const segment = at / BigInt(segmentBytes);
      if (refuse(segment)) throw new RefloatError("vault.damaged", "a piece of the log is damaged");
      const offset = Number(at % BigInt(segmentBytes));
      const length = Math.min(1_000_000, segmentBytes - offset, Number(end - at));
      const file = await open(join(archive, segmentName(1, segment, segmentBytes)));
      const piece = Buffer.alloc(length);
      await file.read(piece, 0, length, offset);
      await file.close();
      const flipped = flip === undefined ? -1 : Number(flip - at);
      if (flipped >= 0 && flipped < length) piece.writeUInt8(piece.readUInt8(flipped) ^ 1, flipped);
      yield piece;
      at += BigInt(length);
    }
  },
});

/** Everything that was written so far is in the archive. @returns the position up to which */
export const archiveAll = async (server: PostgresServer): Promise<string> => {
  const [row] = await query<{ name: string; lsn: string }>(
    server.url("postgres"),
    "select pg_walfile_name(lsn) as name, lsn::text as lsn from (select pg_switch_wal() as lsn) switched",
  );
  await query(server.url("postgres"), "checkpoint");
  const name = row?.name ?? "";
  const waiting = { clock: systemClock, signal: new AbortController().signal };
  const isThere = await waitUntil(waiting, 60_000, async () => (await readdir(archiveOf(server))).includes(name));
  if (!isThere) throw new Error(`the server has not archived ${name}`);
  return row?.lsn ?? "";
};
