/**
 * How far a server has replayed the log that it was given. It stops at the first record that is not whole: where the received log ends within a
 * record, it has all that there is; where a whole record follows, something in the log could not be read, and what comes after it is missing.
 * Form: access/xlog_internal.h and access/xlogrecord.h of PostgreSQL 13 to 18.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesBefore } from "../../core/logs/log-position.ts";
import type { Replay } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { historyName } from "./timeline-history.ts";

const pageBytes = 8192;
const shortHeaderBytes = 24;
const longHeaderBytes = 40;
const lengthBytes = 4;

const headerAt = (place: number, segmentBytes: number): number =>
  place % segmentBytes === 0 ? longHeaderBytes : shortHeaderBytes;

/** Where the record that begins at `place` ends, when it has that length; pages that it goes over have headers of their own. */
const endOfRecord = (place: number, length: number, segmentBytes: number): number => {
  let at = place;
  for (let left = length; ;) {
    if (at % pageBytes === 0) at += headerAt(at, segmentBytes);
    const room = pageBytes - (at % pageBytes);
    if (left <= room) return at + left;
    left -= room;
    at += room;
  }
};

/**
 * @param rest what the log has from `end` on, to where it was to be replayed
 * @param end position in bytes within which the server stopped, a multiple of 8
 * @returns whether a whole record stands there, which was not replayed
 */
export const holdsWholeRecord = (rest: Buffer, end: number, segmentBytes: number): boolean => {
  const begin = end % pageBytes === 0 ? headerAt(end, segmentBytes) : 0;
  if (rest.length < begin + lengthBytes) return false;
  const length = rest.readUInt32LE(begin);
  // Zeros within the log are no record that could be replayed, and no end of it either.
  if (length === 0) return true;
  return endOfRecord(end + begin, length, segmentBytes) <= end + rest.length;
};

/** Where the timeline that the server has begun parts from the one that it came from. */
const partedAt = async (folder: string, timeline: number): Promise<string> => {
  const text = await readFile(join(folder, "pg_wal", historyName(timeline)), "utf8");
  const last = text.trimEnd().split("\n").at(-1) ?? "";
  const position = /^\d+\t([0-9A-F]+\/[0-9A-F]+)\t/.exec(last)?.[1];
  if (position === undefined) throw new RefloatError("bug", `the history of timeline ${timeline} has no last line`);
  return position;
};

/** @throws RefloatError log.damaged when the server has not replayed all that the log holds; vault.* */
export const requireReplayed = async (
  folder: string,
  timeline: number,
  { logs, line, to }: Pick<Replay, "logs" | "line" | "to">,
  segmentBytes: number,
): Promise<void> => {
  const position = await partedAt(folder, timeline);
  const [end, wanted] = [bytesBefore(position), bytesBefore(to)];
  if (end >= wanted) return;
  const pieces: Uint8Array[] = [];
  for await (const piece of logs.read(line, position, to)) pieces.push(piece);
  if (!holdsWholeRecord(Buffer.concat(pieces), Number(end), segmentBytes)) return;
  throw new RefloatError(
    "log.damaged",
    `the server has replayed the log only up to ${position}, and it goes on to ${to}`,
    {
      hint: "its own log says what it could not read; a moment before that position can be reached",
    },
  );
};
