/** Logs over a repository: pieces that are appended, found, read and joined. What lies in one piece: log-pieces.ts. */
import type { Clock } from "../../core/ports/environment.ts";
import type { LogName, LogPiece, LogStore, StoredLogPiece } from "../../core/ports/vault-logs.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { VaultLock } from "../../core/ports/vault-locks.ts";
import { bytesBefore, comparePositions } from "../../core/logs/log-position.ts";
import { inOrder, joinedSpans } from "../../core/logs/log-spans.ts";
import type { LogMoment, LogSpan } from "../../model/log-span.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { compactLog } from "./log-compaction.ts";
import { distanceOf, pieceOf, readMoments, writePiece } from "./log-pieces.ts";
import { createLogReader, historyOf } from "./log-reader.ts";

export type LogStoreParts = {
  readonly repository: Repository;
  readonly clock: Clock;
  /** What a piece that was joined is locked with. */
  readonly lockFor: (service: string) => Promise<VaultLock | null>;
};

const isOf =
  ({ service, component }: LogName) =>
  (piece: StoredLogPiece): boolean =>
    piece.service === service && piece.component === component;

/** The part of a piece that is not held yet; null when all of it is. Only its begin can be: one process adds to a log, and only at its end. */
const unheld = (
  piece: LogPiece,
  content: Uint8Array,
  held: readonly StoredLogPiece[],
): { readonly piece: LogPiece; readonly content: Uint8Array } | null => {
  const span = joinedSpans(held.filter(({ line }) => line === piece.line)).find(
    ({ from, to }) => comparePositions(from, piece.from) <= 0 && comparePositions(to, piece.from) >= 0,
  );
  if (span === undefined || comparePositions(span.to, piece.from) <= 0) {
    const isSaid = span !== undefined && piece.from === piece.to && Date.parse(span.toAt) >= Date.parse(piece.toAt);
    return isSaid ? null : { piece, content };
  }
  if (comparePositions(span.to, piece.to) >= 0 && Date.parse(span.toAt) >= Date.parse(piece.toAt)) return null;
  const from = comparePositions(span.to, piece.to) >= 0 ? piece.to : span.to;
  const moments = piece.moments.filter(({ position }) => comparePositions(position, from) >= 0);
  const cut = Number(bytesBefore(from) - bytesBefore(piece.from));
  return { piece: { ...piece, from, fromAt: moments[0]?.at ?? piece.toAt, moments }, content: content.subarray(cut) };
};

/** Two histories of one name would lie in one line: their positions say nothing of each other. */
const refuseOtherHistory = ({ service, line, history }: LogPiece, stored: string | null): void => {
  if (stored === null || stored === history) return;
  throw new RefloatError(
    "log.diverged",
    `what the source writes as ${line} is another history than what the vault holds`,
    {
      context: { line },
      state: "nothing of it was stored",
      hint: "let the source begin a line of its own, and take a point, from which it leads on",
      nextCommand: `refloat capture ${service}`,
    },
  );
};

/** Those of its line that a span is made of. */
const within = (span: LogSpan, pieces: readonly StoredLogPiece[]): readonly StoredLogPiece[] =>
  pieces.filter(
    ({ line, from, to }) =>
      line === span.line && comparePositions(from, span.from) >= 0 && comparePositions(to, span.to) <= 0,
  );

export const createLogs = (parts: LogStoreParts): LogStore => {
  const { repository, clock } = parts;
  /** By id, all snapshots that were read before; a snapshot never changes. */
  const seen = new Map<string, StoredLogPiece | null>();
  /** Looked at once; afterwards this process knows what it has added itself. */
  let isLookedAt = false;
  const stuck = new Set<string>();

  const look = async (): Promise<readonly StoredLogPiece[]> => {
    const infos = await repository.snapshots();
    const there = new Set<string>(infos.map(({ id }) => id));
    for (const id of seen.keys()) if (!there.has(id)) seen.delete(id);
    for (const info of infos) if (!seen.has(info.id)) seen.set(info.id, pieceOf(info));
    isLookedAt = true;
    return known();
  };
  const known = (): readonly StoredLogPiece[] => inOrder([...seen.values()].filter((piece) => piece !== null));
  const pieces: LogStore["pieces"] = async (service) =>
    (await look()).filter((piece) => service === undefined || piece.service === service);
  const piecesOf = async (name: LogName): Promise<readonly StoredLogPiece[]> => (await look()).filter(isOf(name));
  /** @param candidates in order */
  const lastMoment = async (
    candidates: readonly StoredLogPiece[],
    fits: (moment: LogMoment) => boolean,
  ): Promise<LogMoment | undefined> => {
    for (const piece of candidates.toReversed()) {
      const found = (await readMoments(repository, piece)).moments.findLast(fits);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  return {
    pieces,

    spans: async (service) => joinedSpans(await pieces(service)),

    append: async (piece, content) => {
      const isFileEnd = content.length < distanceOf(piece) && piece.to.endsWith("/0");
      if (content.length !== distanceOf(piece) && !isFileEnd)
        throw new RefloatError("bug", "a piece of a log is not as long as it says");
      const held = (isLookedAt ? known() : await look()).filter(isOf(piece));
      if (piece.history !== undefined) refuseOtherHistory(piece, await historyOf(repository, held, piece.line));
      const added = unheld(piece, content, held);
      if (added === null) return;
      const stored = await writePiece(repository, {
        piece: added.piece,
        joined: 0,
        bytes: added.content.length,
        time: clock.now(),
        lock: null,
        parent: held.findLast(({ from, to }) => from !== to)?.id ?? null,
        content: async (writer, path) => void (await writer.bytes(path, added.content)),
      });
      seen.set(stored.id, stored);
    },

    positionAt: async ({ at, line: wanted, ...name }) => {
      const own = (await piecesOf(name)).filter(({ line }) => wanted === undefined || line === wanted);
      const instant = Date.parse(at);
      // Where two lines hold the moment, the later one is where the source went on.
      const span = joinedSpans(own).findLast(
        ({ fromAt, toAt }) => Date.parse(fromAt) <= instant && instant <= Date.parse(toAt),
      );
      if (span === undefined) return null;
      const found = await lastMoment(
        within(span, own).filter(({ fromAt }) => Date.parse(fromAt) <= instant),
        (moment) => Date.parse(moment.at) <= instant,
      );
      return { span, ...(found ?? { position: span.from, at: span.fromAt }) };
    },

    momentAt: async ({ line, position, ...name }) => {
      const own = (await piecesOf(name)).filter((piece) => piece.line === line);
      const isUpTo = (place: string): boolean => comparePositions(place, position) <= 0;
      const span = joinedSpans(own).find(({ from, to }) => isUpTo(from) && comparePositions(position, to) <= 0);
      if (span === undefined) return null;
      const found = await lastMoment(
        within(span, own).filter(({ from }) => isUpTo(from)),
        (moment) => isUpTo(moment.position),
      );
      return { span, ...(found ?? { position: span.from, at: span.fromAt }) };
    },

    reader: async (name) => createLogReader(repository, () => piecesOf(name)),

    compact: async (name, signal) => {
      const { written, removed, refused } = await compactLog(parts, await piecesOf(name), stuck, signal);
      for (const id of removed) seen.delete(id);
      for (const id of refused) stuck.add(id);
      for (const piece of written) seen.set(piece.id, piece);
      return removed.length;
    },
  };
};
