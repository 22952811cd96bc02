/**
 * One look at every row of a database: how many there are, how many were written after a position, and where those
 * lie, so that whoever reads them need not look at the rest again. Large tables are looked at in pieces, by several sessions that share one
 * snapshot. The server's statistics could say sooner that nothing was written, but they prove nothing: they arrive late and are
 * forgotten in a crash.
 */
import type { Session } from "./session.ts";
import { type Task, workThrough } from "./work-queue.ts";
import type { WrittenPredicate } from "./written-predicate.ts";
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

/** Pages of a table from `begin` on; the last piece of each is open, since rows may have been added behind the end that was seen. */
type Piece = { readonly from: string; readonly begin: number; readonly end: number | null };

type Found = Piece & { readonly rows: number; readonly written: number };

const piecesOf = ({ from, blocks }: TablePart, pieceBlocks: number): readonly Piece[] => {
  const count = Math.max(1, Math.round(blocks / pieceBlocks));
  return Array.from({ length: count }, (_, index) => ({
    from,
    begin: index === 0 ? 0 : index * pieceBlocks,
    end: index === count - 1 ? null : (index + 1) * pieceBlocks,
  }));
};

const rangeOf = ({ begin, end }: Pick<Piece, "begin" | "end">): string | null => {
  const bounds = [...(begin === 0 ? [] : [`ctid >= '(${begin},0)'`]), ...(end === null ? [] : [`ctid < '(${end},0)'`])];
  return bounds.length === 0 ? null : bounds.join(" and ");
};

const lookAt = async ({ session, predicate }: Scanner, piece: Piece): Promise<Found> => {
  const range = rangeOf(piece);
  const [row] = await session.query<{ rows: number; written: number }>(
    `select count(*)::float8 as rows, count(*)${predicate === null ? "" : ` filter (where ${predicate})`}::float8 as written
       from ${piece.from}${range === null ? "" : ` where ${range}`}`,
  );
  return { ...piece, ...(row ?? { rows: 0, written: 0 }) };
};

/** From the first piece with a written row to the last one. */
const placeOf = (hit: readonly Found[]): string | null => {
  if (hit.length === 0) return null;
  const end = Math.max(...hit.map((piece) => piece.end ?? Infinity));
  return rangeOf({ begin: Math.min(...hit.map(({ begin }) => begin)), end: end === Infinity ? null : end });
};

const together = (all: readonly Found[]): TableScan => ({
  rows: all.reduce((sum, { rows }) => sum + rows, 0),
  written: all.reduce((sum, { written }) => sum + written, 0),
  place: placeOf(all.filter(({ written }) => written > 0)),
});

/**
 * @param scanners all in one snapshot; they answer nothing else meanwhile
 * @returns by the table's oid
 */
export const scanTables = async (
  scanners: readonly Scanner[],
  tables: readonly WrittenTable[],
  options: { readonly serverMajor: number; readonly signal: AbortSignal; readonly pieceBlocks?: number },
): Promise<ReadonlyMap<string, TableScan>> => {
  const { serverMajor, signal } = options;
  const pieceBlocks = serverMajor >= firstMajorWithRanges ? (options.pieceBlocks ?? usualPieceBlocks) : Infinity;
  const found = new Map<string, Found[]>(tables.map(({ oid }) => [oid, []]));
  const tasks: Task<Scanner>[] = tables.flatMap(({ oid, parts }) =>
    parts.flatMap((part) =>
      piecesOf(part, pieceBlocks).map((piece) => ({
        id: `${piece.from} ${piece.begin}`,
        cost: Math.min(part.blocks, pieceBlocks),
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
  return new Map([...found].map(([oid, all]) => [oid, together(all)]));
};
