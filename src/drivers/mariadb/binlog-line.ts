/**
 * How places in a server's binary log are counted: a position is the number of a file and an offset in it. A line is one run of numbers of one
 * server: RESET MASTER, or another server, begins another one. It is named by the file that the vault has first of it, and when that was begun.
 */
import type { LogStart } from "../../core/ports/logs.ts";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { capturedPlaceSchema } from "./captured-detail.ts";

export type BinlogFile = {
  /** `binlog` of `binlog.000007`. */
  readonly base: string;
  readonly number: number;
};

export type BinlogPlace = { readonly number: number; readonly offset: number };

/** @returns null for what is no name of a file of a binary log */
export const readFileName = (name: string): BinlogFile | null => {
  const { base, number } = /^(?:.*\/)?(?<base>[^/]+)\.(?<number>\d{6,})$/.exec(name)?.groups ?? {};
  return base === undefined ? null : { base, number: Number(number) };
};

export const fileName = ({ base, number }: BinlogFile): string => `${base}.${String(number).padStart(6, "0")}`;

const offsetBits = 32n;
const offsetMask = 0xffff_ffffn;

/** Places further on in a file cannot be counted. Only a file that ends with one transaction of gigabytes has such. */
export const mostOffset = Number(offsetMask);

export const placeBytes = ({ number, offset }: BinlogPlace): bigint =>
  (BigInt(number) << offsetBits) | BigInt(Math.min(offset, mostOffset));

export const positionOf = (place: BinlogPlace): string => positionAfter(placeBytes(place));

export const placeAt = (position: string): BinlogPlace => {
  const bytes = bytesBefore(position);
  return { number: Number(bytes >> offsetBits), offset: Number(bytes & offsetMask) };
};

/** What a line is of, and where it begins. */
export type BinlogLine = {
  readonly serverId: number;
  readonly base: string;
  readonly firstNumber: number;
  /** When its first file was begun, in seconds since 1970. */
  readonly firstWhen: number;
};

/** Of a name only what a line's may hold. */
const plain = (base: string): string => base.replaceAll(/[^A-Za-z0-9_-]/g, "_");

/** `1/binlog/7-1764187129`. */
export const lineName = ({ serverId, base, firstNumber, firstWhen }: BinlogLine): string =>
  `${serverId}/${plain(base)}/${firstNumber}-${firstWhen}`;

export const readLine = (line: string): BinlogLine | null => {
  const { id, base, first, when } = /^(?<id>\d+)\/(?<base>[^/]+)\/(?<first>\d+)-(?<when>\d+)$/.exec(line)?.groups ?? {};
  if (base === undefined) return null;
  return { serverId: Number(id), base, firstNumber: Number(first), firstWhen: Number(when) };
};

/** `binlog.000007:4628`. */
export const placeWords = (line: string, position: string): string => {
  const { number, offset } = placeAt(position);
  return `${fileName({ base: readLine(line)?.base ?? "binlog", number })}:${offset}`;
};

/** Of those of one server, the one that was begun last before an instant, where it has files of such a number. */
export const newestLine = (
  lines: readonly string[],
  { serverId, base }: { readonly serverId: number; readonly base: string },
  fits: (line: BinlogLine) => boolean = () => true,
): string | null => {
  const own = lines.flatMap((name) => {
    const line = readLine(name);
    return line !== null && line.serverId === serverId && line.base === plain(base) && fits(line)
      ? [{ name, line }]
      : [];
  });
  return (
    own.toSorted((a, b) => b.line.firstWhen - a.line.firstWhen || b.line.firstNumber - a.line.firstNumber)[0]?.name ??
    null
  );
};

/**
 * A point goes on from where its one snapshot stood; one without such a snapshot, or of a server without a binary log, does not. Whether the line is
 * the history that the point is of is seen again by the numbers of transactions, before anything is made.
 */
export const binlogStartOf = (captured: CapturedComponent, lines: readonly string[]): LogStart | null => {
  const { binlog, serverId } = capturedPlaceSchema.parse(captured.facts.detail);
  const file = binlog === null ? null : readFileName(binlog.file);
  if (binlog === null || file === null || captured.consistency !== "snapshot") return null;
  const takenAt = Date.parse(captured.window.endAt) / 1000;
  const line = newestLine(
    lines,
    { serverId, base: file.base },
    ({ firstNumber, firstWhen }) => firstNumber <= file.number && firstWhen <= takenAt,
  );
  const { number } = file;
  return {
    // Without a log of it nothing leads on, and what is received from now on begins another line.
    line: line ?? lineName({ serverId, base: file.base, firstNumber: number, firstWhen: 0 }),
    from: positionOf({ number, offset: binlog.position }),
    head: positionOf({ number, offset: 0 }),
  };
};
