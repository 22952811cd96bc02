/**
 * One piece of a log as a snapshot: its bytes as the file `/refloat/log/COMPONENT/LINE/FROM-TO`, the moments beside them, and all that a list needs in
 * tags, so that stock restic shows it and a list reads nothing else. A piece without bytes is a record.
 */
import { hostname } from "node:os";
import { z } from "zod";
import type { LogPiece, StoredLogPiece } from "../../core/ports/vault-logs.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { VaultLock } from "../../core/ports/vault-locks.ts";
import type { SnapshotInfo, SnapshotWriter } from "../../core/ports/vault-snapshots.ts";
import { bytesBefore, positionAfter, positionName } from "../../core/logs/log-position.ts";
import { type LogMoment, logSpanSchema } from "../../model/log-span.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import { taggedValue } from "./snapshot-tags.ts";

const logTag = "refloat-log";

type Place = Pick<StoredLogPiece, "component" | "line" | "from" | "to">;

/** Where its bytes lie within its snapshot. */
export const contentPath = ({ component, line, from, to }: Place): string =>
  `/refloat/log/${component}/${line.replaceAll("/", "-")}/${positionName(from)}-${positionName(to)}`;

const momentsPath = (place: Place): string => `${contentPath(place)}.moments`;
const historyPath = (place: Place): string => `${contentPath(place)}.history`;

const tagsOf = (piece: LogPiece, joined: number, bytes: number): readonly string[] => [
  logTag,
  `service=${piece.service}`,
  `component=${piece.component}`,
  `driver=${piece.driver}`,
  `line=${piece.line}`,
  `from=${piece.from}`,
  `to=${piece.to}`,
  `from-at=${piece.fromAt}`,
  `to-at=${piece.toAt}`,
  `joined=${joined}`,
  ...(bytes === distanceOf(piece) ? [] : [`bytes=${bytes}`]),
];

/** @returns null for what is no piece of a log, or of a form that is not known here */
export const pieceOf = ({ id, time, tags }: SnapshotInfo): StoredLogPiece | null => {
  if (!tags.includes(logTag)) return null;
  const span = logSpanSchema.safeParse({
    service: taggedValue(tags, "service"),
    component: taggedValue(tags, "component"),
    driver: taggedValue(tags, "driver"),
    line: taggedValue(tags, "line"),
    from: taggedValue(tags, "from"),
    to: taggedValue(tags, "to"),
    fromAt: taggedValue(tags, "from-at"),
    toAt: taggedValue(tags, "to-at"),
  });
  if (!span.success) return null;
  const joined = Number(taggedValue(tags, "joined") ?? 0);
  const bytes = Number(taggedValue(tags, "bytes") ?? distanceOf(span.data));
  return { ...span.data, id, joined, bytes, storedAt: new Date(time).toISOString() };
};

/** How many positions lie between; so many bytes, where no file of the log ends within. */
export const distanceOf = ({ from, to }: Pick<Place, "from" | "to">): number =>
  Number(bytesBefore(to) - bytesBefore(from));

/** Positions are counted from the piece's begin: most moments then take a few digits. */
const packedSchema = z.array(z.tuple([z.int(), z.int()]));

const packMoments = ({ from, moments }: Pick<LogPiece, "from" | "moments">): string =>
  JSON.stringify(moments.map(({ position, at }) => [distanceOf({ from, to: position }), Date.parse(at)]));

const unpackMoments = ({ from }: Place, text: string): readonly LogMoment[] =>
  packedSchema
    .parse(JSON.parse(text))
    // What lies before its piece says nothing of it, and must not make the others unreadable.
    .filter(([offset]) => offset >= 0)
    .map(([offset, at]) => ({
      position: positionAfter(bytesBefore(from) + BigInt(offset)),
      at: new Date(at).toISOString(),
    }));

export type PieceWriting = {
  readonly piece: LogPiece;
  readonly joined: number;
  /** Of the content. */
  readonly bytes: number;
  readonly time: Date;
  readonly lock: VaultLock | null;
  /** An earlier piece of the same log: spares looking for one. */
  readonly parent: SnapshotId | null;
  readonly content: (writer: SnapshotWriter, path: string) => Promise<void>;
};

/** Durable when it resolves. */
export const writePiece = async (
  repository: Repository,
  { piece, joined, bytes, time, lock, parent, content }: PieceWriting,
): Promise<StoredLogPiece> => {
  const path = contentPath(piece);
  const common = { hostname: hostname(), time, tags: tagsOf(piece, joined, bytes) };
  const stored = (info: SnapshotInfo): StoredLogPiece => {
    const known = pieceOf(info);
    if (known === null) throw new RefloatError("bug", `a piece of a log has no place: ${path}`);
    return known;
  };
  if (bytes === 0 && piece.history === undefined) {
    const text = packMoments(piece);
    return stored(await repository.writeRecord({ ...common, path, text, ...(lock === null ? {} : { lock }) }));
  }
  const writer = await repository.beginSnapshot({
    ...common,
    paths: [path],
    ...(parent === null ? {} : { parent }),
    ...(lock === null ? {} : { lock: { ...lock, members: [] } }),
  });
  try {
    if (bytes > 0) await content(writer, path);
    await writer.bytes(momentsPath(piece), Buffer.from(packMoments(piece)));
    if (piece.history !== undefined) await writer.bytes(historyPath(piece), Buffer.from(piece.history));
    return stored(await writer.commit());
  } finally {
    await writer.abort();
  }
};

/** @throws RefloatError vault.damaged, point.unknown once it was joined with others and forgotten */
export const readMoments = async (
  repository: Repository,
  piece: StoredLogPiece,
): Promise<{ readonly moments: readonly LogMoment[]; readonly history: string | null }> => {
  const reader = await repository.openSnapshot(piece.id);
  const { record } = reader.info;
  if (record !== undefined) return { moments: unpackMoments(piece, record), history: null };
  const text = async (path: string): Promise<string> => Buffer.from(await reader.read(path)).toString("utf8");
  const history = historyPath(piece);
  const hasHistory = (await reader.stat(history)) !== undefined;
  return {
    moments: unpackMoments(piece, await text(momentsPath(piece))),
    history: hasHistory ? await text(history) : null,
  };
};
