/** Reads a stretch of a log out of the pieces that hold it. Pieces may be joined and forgotten meanwhile; the bytes stay. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { LogReader, StoredLogPiece } from "../../core/ports/vault-logs.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { SnapshotReader } from "../../core/ports/vault-snapshots.ts";
import { bytesBefore, comparePositions } from "../../core/logs/log-position.ts";
import { joinedSpans } from "../../core/logs/log-spans.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { contentPath, readMoments } from "./log-pieces.ts";

/** Of those that hold the byte at a position, the one that goes furthest. */
const holding = (pieces: readonly StoredLogPiece[], line: string, at: string): StoredLogPiece | undefined =>
  pieces
    .filter(
      (piece) => piece.line === line && comparePositions(piece.from, at) <= 0 && comparePositions(piece.to, at) > 0,
    )
    .toSorted((a, b) => comparePositions(b.to, a.to))[0];

const missing = (line: string, from: string): RefloatError =>
  new RefloatError("log.gap", `the vault does not hold the log of ${line} at ${from}`, {
    context: { line, position: from },
    hint: "recover to a moment before the gap, or to a later point",
    nextCommand: "refloat points",
  });

/** How a line came from others; null when its source said nothing of that. @param pieces in order */
export const historyOf = async (
  repository: Repository,
  pieces: readonly StoredLogPiece[],
  line: string,
): Promise<string | null> => {
  for (const piece of pieces.filter((one) => one.line === line)) {
    const { history } = await readMoments(repository, piece);
    if (history !== null) return history;
    // It comes with the first piece of a line, and goes into whatever that is joined to.
    if (piece.from !== piece.to) return null;
  }
  return null;
};

/** @param look at the pieces of one log as they are now */
export const createLogReader = async (
  repository: Repository,
  look: () => Promise<readonly StoredLogPiece[]>,
): Promise<LogReader> => {
  let pieces = await look();

  /** @throws RefloatError log.gap */
  const open = async (line: string, at: string): Promise<{ piece: StoredLogPiece; reader: SnapshotReader }> => {
    for (let isSecondLook = false; ; isSecondLook = true) {
      const piece = holding(pieces, line, at);
      try {
        if (piece === undefined) throw missing(line, at);
        return { piece, reader: await repository.openSnapshot(piece.id) };
      } catch (error) {
        const mayBeJoined = error instanceof RefloatError && ["log.gap", "point.unknown"].includes(error.code);
        if (!mayBeJoined || isSecondLook) throw error;
        pieces = await look();
      }
    }
  };

  async function* read(...[line, from, to, options]: Parameters<LogReader["read"]>): ByteStream {
    for (let at = from; comparePositions(at, to) < 0;) {
      const { piece, reader } = await open(line, at);
      const end = comparePositions(piece.to, to) < 0 ? piece.to : to;
      const offset = Number(bytesBefore(at) - bytesBefore(piece.from));
      // Behind its bytes there is nothing before the next file of the log.
      const length = Math.min(Number(bytesBefore(end) - bytesBefore(at)), Math.max(0, piece.bytes - offset));
      let got = 0;
      if (length > 0) {
        for await (const chunk of reader.stream(contentPath(piece), { offset, length }, options)) {
          got += chunk.length;
          yield chunk;
        }
      }
      if (got !== length) {
        throw new RefloatError("vault.damaged", `a piece of the log of ${line} ends after ${got} of ${length} bytes`, {
          context: { snapshot: piece.id, from: at, to: end },
        });
      }
      at = end;
    }
  }

  return {
    spans: joinedSpans(pieces),
    read,
    history: (line) => historyOf(repository, pieces, line),
  };
};
