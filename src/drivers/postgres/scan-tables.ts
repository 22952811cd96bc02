/**
 * One look at every row of a database: how many there are, how many were written after a position, and where those
 * lie, so that whoever reads them need not look at the rest again. Tables that fit well into the server's cache are looked at in pieces,
 * by several sessions that share one snapshot; larger ones whole. The server's statistics could say sooner that nothing was written, but
 * they prove nothing: they arrive late and are forgotten in a crash.
 */
import type { Session } from "../../platform/postgres/session.ts";
import { type Task, workThrough } from "./work-queue.ts";
import type { WrittenPredicate } from "../../platform/postgres/written-rows.ts";
import type { TablePart, WrittenTable } from "./written-tables.ts";

export type TableScan = {
  readonly rows: number;
  readonly written: number;
  /** Condition that leaves out where no written row lies; null when it is not known. */
  readonly place: string | null;
};

/** A session with its snapshot, and the condition as its own transaction needs it. */
export type Scanner = { readonly session: Session; readonly predicate: WrittenPredicate };

/** Of the server's pages, 8 kB each: some half a million rows. */
const usualPieceBlocks = 4_096;

/** Finding a range of places without reading the whole table came with 14. */
const firstMajorWithRanges = 14;

/**
 * Of the server's cache: from here on it reads a whole table through a few pages of its own. A range of places it always reads through
 * the cache, which takes four times as long and pushes everybody's pages out.
 */
const ownPagesFraction = 0.25;

/** A range that is a larger part of its table is read sooner by a look at all of it. */
const worthwhileRange = 0.25;

/** Pages of a table from `begin` on; the last piece of each is open, since rows may have been added behind the end that was seen. */
type Piece = { readonly from: string; readonly begin: number; readonly end: number | null; readonly blocks: number };

/** `first` and `last`: pages of the first and the last written row. */
type Found = {
  readonly rows: number;
  readonly written: number;
  readonly first: number | null;
  readonly last: number | null;
};

const piecesOf = ({ from, blocks }: TablePart, pieceBlocks: number, mostInPieces: number): readonly Piece[] => {
  const count = blocks > mostInPieces ? 1 : Math.max(1, Math.round(blocks / pieceBlocks));
  return Array.from({ length: count }, (_, index) => ({
    from,
    begin: index === 0 ? 0 : index * pieceBlocks,
    end: index === count - 1 ? null : (index + 1) * pieceBlocks,
    blocks: count === 1 ? blocks : pieceBlocks,
  }));
};

const rangeOf = ({ begin, end }: Pick<Piece, "begin" | "end">): string | null => {
  const bounds = [...(begin === 0 ? [] : [`ctid >= '(${begin},0)'`]), ...(end === null ? [] : [`ctid < '(${end},0)'`])];
  return bounds.length === 0 ? null : bounds.join(" and ");
};

const pageOf = (place: string | null): number | null => (place === null ? null : Number.parseInt(place.slice(1), 10));

const lookAt = async ({ session, predicate }: Scanner, piece: Piece): Promise<Found> => {
  const range = rangeOf(piece);
  const filter = predicate === null ? "" : ` filter (where ${predicate})`;
  const [row] = await session.query<{ rows: number; written: number; first: string | null; last: string | null }>(
    `select count(*)::float8 as rows, count(*)${filter}::float8 as written,
            min(ctid)${filter}::text as first, max(ctid)${filter}::text as last
       from ${piece.from}${range === null ? "" : ` where ${range}`}`,
  );
  if (row === undefined) return { rows: 0, written: 0, first: null, last: null };
  return { ...row, first: pageOf(row.first), last: pageOf(row.last) };
};

/** From the page of the first written row to that of the last one. */
const placeOf = (all: readonly Found[], blocks: number): string | null => {
  const pages = all.flatMap(({ first, last }) => (first === null || last === null ? [] : [first, last]));
  if (pages.length === 0) return null;
  const [begin, end] = [Math.min(...pages), Math.max(...pages) + 1];
  return end - begin <= blocks * worthwhileRange ? rangeOf({ begin, end }) : null;
};

const together = (all: readonly Found[], place: string | null): TableScan => ({
  rows: all.reduce((sum, { rows }) => sum + rows, 0),
  written: all.reduce((sum, { written }) => sum + written, 0),
  place,
});

/** Pages of the largest table that is looked at in pieces. */
const readMostInPieces = async (session: Session): Promise<number> => {
  const [row] = await session.query<{ blocks: number }>(
    "select setting::float8 as blocks from pg_settings where name = 'shared_buffers'",
  );
  return (row?.blocks ?? 0) * ownPagesFraction;
};

/**
 * @param scanners all in one snapshot; they answer nothing else meanwhile
 * @returns by the table's oid
 */
export const scanTables = async (
  scanners: readonly Scanner[],
  tables: readonly WrittenTable[],
  options: {
    readonly serverMajor: number;
    readonly signal: AbortSignal;
    readonly pieceBlocks?: number;
    readonly mostInPieces?: number;
  },
): Promise<ReadonlyMap<string, TableScan>> => {
  const { serverMajor, signal } = options;
  const [first] = scanners;
  if (first === undefined) throw new Error("nobody was given to look");
  const hasRanges = serverMajor >= firstMajorWithRanges;
  const pieceBlocks = hasRanges ? (options.pieceBlocks ?? usualPieceBlocks) : Infinity;
  const mostInPieces = options.mostInPieces ?? (await readMostInPieces(first.session));
  const found = new Map<string, Found[]>(tables.map(({ oid }) => [oid, []]));
  const tasks: Task<Scanner>[] = tables.flatMap(({ oid, parts }) =>
    parts.flatMap((part) =>
      piecesOf(part, pieceBlocks, mostInPieces).map((piece) => ({
        id: `${piece.from} ${piece.begin}`,
        cost: piece.blocks,
        run: async (scanner) => void found.get(oid)?.push(await lookAt(scanner, piece)),
      })),
    ),
  );
  const idle = [...scanners];
  const take = async (): Promise<Scanner> => {
    const scanner = idle.pop();
    if (scanner === undefined) throw new Error("more workers than sessions");
    return scanner;
  };
  await workThrough(tasks, { count: scanners.length, open: take, close: async () => undefined }, signal);
  return new Map(
    tables.map(({ oid, parts }) => {
      const all = found.get(oid) ?? [];
      const blocks = parts.reduce((sum, part) => sum + part.blocks, 0);
      return [oid, together(all, hasRanges ? placeOf(all, blocks) : null)];
    }),
  );
};
