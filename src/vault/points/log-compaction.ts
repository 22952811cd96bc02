/**
 * Joins small pieces of a log. Each generation of pieces is joined by the dozen into the next one, so that every byte is read a few times and no
 * more, whatever the length of the log. What was joined lies in the vault before anything of it goes.
 */
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { LogPiece, StoredLogPiece } from "../../core/ports/vault-logs.ts";
import { bytesBefore, comparePositions } from "../../core/logs/log-position.ts";
import { coveredPieces, inOrder } from "../../core/logs/log-spans.ts";
import { createLogReader } from "./log-reader.ts";
import { distanceOf, readMoments, writePiece } from "./log-pieces.ts";
import type { LogStoreParts } from "./logs.ts";

const joinedAtCount = 32;
const joinedAtAgeMs = 10 * 60_000;
const largestBytes = 256 * 1024 * 1024;

/** Stretches of pieces of one generation that meet and together are not too large. */
const stretches = (pieces: readonly StoredLogPiece[]): readonly (readonly StoredLogPiece[])[] => {
  const found: StoredLogPiece[][] = [];
  let bytes = 0;
  for (const piece of pieces) {
    const open = found.at(-1);
    const before = open?.at(-1);
    const meets =
      before !== undefined &&
      before.line === piece.line &&
      before.joined === piece.joined &&
      // Within a piece a position is told by counting bytes.
      before.bytes === distanceOf(before) &&
      comparePositions(piece.from, before.to) <= 0;
    if (meets && bytes + piece.bytes <= largestBytes) {
      open?.push(piece);
      bytes += piece.bytes;
    } else {
      found.push([piece]);
      bytes = piece.bytes;
    }
  }
  return found;
};

/** Of locked ones few are made, as late as may be: each stays. */
const worthJoining = (stretch: readonly StoredLogPiece[], nowMs: number, isLocked: boolean): boolean => {
  const [first] = stretch;
  if (first === undefined) return false;
  // What is locked cannot be forgotten: joined again it would be kept twice.
  if (isLocked && first.joined > 0) return false;
  if (stretch.length >= joinedAtCount && !isLocked) return true;
  const bytes = stretch.reduce((sum, piece) => sum + piece.bytes, 0);
  if (stretch.length > 1 && bytes > largestBytes / 2) return true;
  const isOld = first.joined === 0 && nowMs - Date.parse(first.storedAt) > joinedAtAgeMs;
  // Alone it becomes no fewer, but locked it has to be.
  return isOld && (stretch.length > 1 || isLocked);
};

export type Compaction = {
  readonly written: readonly StoredLogPiece[];
  readonly removed: readonly StoredLogPiece["id"][];
  /** The store holds them: a lock, or a right that is lacking. */
  readonly refused: readonly StoredLogPiece["id"][];
};

/** @param pieces of one log @param stuck those that the store would not let go of */
export const compactLog = async (
  { repository, clock, lockFor }: LogStoreParts,
  pieces: readonly StoredLogPiece[],
  stuck: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Compaction> => {
  const written: StoredLogPiece[] = [];
  const superfluous = new Set(coveredPieces(pieces));
  const lines = Map.groupBy(
    pieces.filter((piece) => !superfluous.has(piece)),
    ({ line }) => line,
  );
  for (const line of lines.values()) {
    for (const stretch of stretches(inOrder(line))) {
      const [first] = stretch;
      if (first === undefined) continue;
      const lock = await lockFor(first.service);
      if (!worthJoining(stretch, clock.now().getTime(), lock !== null)) continue;
      signal.throwIfAborted();
      const { id: _id, storedAt: _storedAt, bytes: _bytes, joined, ...begin } = first;
      const told = await momentsOf(repository, stretch);
      const piece: LogPiece = { ...begin, ...endOf(stretch), ...told };
      const reader = await createLogReader(repository, async () => stretch);
      written.push(
        await writePiece(repository, {
          piece,
          joined: joined + 1,
          bytes: contentOf(stretch, piece),
          time: clock.now(),
          lock,
          parent: null,
          content: async (writer, path) => {
            const bytes: ByteStream = reader.read(piece.line, piece.from, piece.to);
            await writer.stream(path, { bytes, seal: async () => ({}) }, signal);
          },
        }),
      );
      for (const old of stretch) superfluous.add(old);
    }
  }
  const going = [...superfluous].map(({ id }) => id).filter((id) => !stuck.has(id));
  if (going.length === 0) return { written, removed: [], refused: [] };
  const refused = (await repository.removeSnapshots(going)).map(({ id }) => id);
  return { written, removed: going.filter((id) => !refused.includes(id)), refused };
};

const endOf = (stretch: readonly StoredLogPiece[]): Pick<LogPiece, "to" | "toAt"> => ({
  to: stretch.map(({ to }) => to).reduce((a, b) => (comparePositions(a, b) > 0 ? a : b)),
  toAt: stretch.map(({ toAt }) => toAt).reduce((a, b) => (Date.parse(a) > Date.parse(b) ? a : b)),
});

/** Only the last one may end before its `to`. */
const contentOf = (stretch: readonly StoredLogPiece[], { from, to }: Pick<LogPiece, "from" | "to">): number =>
  Math.max(
    ...stretch
      .filter((piece) => piece.to === to)
      .map((piece) => Number(bytesBefore(piece.from) - bytesBefore(from)) + piece.bytes),
  );

const momentsOf = async (
  repository: LogStoreParts["repository"],
  stretch: readonly StoredLogPiece[],
): Promise<Pick<LogPiece, "moments" | "history">> => {
  const told = await Promise.all(stretch.map((piece) => readMoments(repository, piece)));
  const history = told.find((one) => one.history !== null)?.history;
  const moments = told
    .flatMap((one) => one.moments)
    .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at) || comparePositions(a.position, b.position));
  return { moments, ...(history === undefined || history === null ? {} : { history }) };
};
