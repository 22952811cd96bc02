/**
 * What was written to a server since a position. No table is compared with another: the server's own counts tell how many rows were written since it was started,
 * and its binary log whether anything was committed. Which rows they are is not told here.
 */
import { nullWhenDown } from "../../../core/components/null-when-down.ts";
import type { WriteLedger, WriteReport } from "../../../core/ports/driver.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { readServerFacts } from "../server-facts.ts";
import type { Counts, ServerMark } from "./captured-server.ts";
import { accessAt } from "./locations.ts";
import { type OwnWrites, isBehind, ownSince, readOwnWrites } from "./own-writes.ts";
import { makePosition, readMark, stoppedMark, takeMark } from "./position.ts";
import { isServed } from "./server-process.ts";
import type { ServerContext, ServerOptions } from "./server-options.ts";

type Look = {
  readonly mark: ServerMark;
  /** What is to be taken off its counts. */
  readonly own: readonly OwnWrites[];
  /** Why it is known by its files alone, of a server that has died. */
  readonly gaps: readonly string[];
};

/** A server that hangs is not one that has died: it may still acknowledge what it has taken. */
const lookAt = async (context: ServerContext, location: string | null): Promise<Look> => {
  const place = await accessAt(context, location);
  if (place.kind === "stopped") return { mark: await stoppedMark(place.folder), own: [], gaps: [] };
  const own = await readOwnWrites(context);
  try {
    const { hasBinlog } = await readServerFacts(place.access);
    return { mark: await takeMark(place.access, place.folder, hasBinlog), own, gaps: [] };
  } catch (error) {
    context.signal.throwIfAborted();
    const isDown = error instanceof RefloatError && error.code === "source.unreachable";
    if (!isDown || (await isServed(place.folder))) throw error;
    return { mark: await stoppedMark(place.folder), own, gaps: [error.message] };
  }
};

const markAt = async (context: ServerContext, location: string | null): Promise<ServerMark> =>
  (await lookAt(context, location)).mark;

type Compared = Pick<WriteReport, "units" | "gaps">;

const isSamePlace = (then: ServerMark, now: ServerMark): boolean | null =>
  then.binlog === null || now.binlog === null
    ? null
    : then.binlog.file === now.binlog.file && then.binlog.position === now.binlog.position;

const joined = (a: Counts, b: Counts, sign: 1 | -1): Counts => ({
  added: Math.max(0, a.added + sign * b.added),
  changed: Math.max(0, a.changed + sign * b.changed),
  removed: Math.max(0, a.removed + sign * b.removed),
  definitions: Math.max(0, a.definitions + sign * b.definitions),
});

/** Null where another process counts than the one that did, and does not go on where that one ended; and where somebody has set the counts to 0. */
const countsSince = (then: ServerMark, now: ServerMark, own: readonly OwnWrites[]): Counts | null => {
  if (then.counts === null || now.counts === null || then.life === null) return null;
  const ours = ownSince(own, then, now);
  const ended = then.life === now.life ? now.counts : now.continues?.counts;
  if (ended !== undefined && !isBehind(ended, then.counts)) return null;
  if (then.life === now.life) return joined(joined(now.counts, then.counts, -1), ours, -1);
  const { continues } = now;
  return continues === null || continues.from !== then.life
    ? null
    : joined(joined(now.counts, joined(continues.counts, then.counts, -1), 1), ours, -1);
};

export const compareMarks = (then: ServerMark, now: ServerMark, own: readonly OwnWrites[] = []): Compared => {
  const same = isSamePlace(then, now);
  const counted = countsSince(then, now, own);
  if (counted === null)
    return same === true
      ? { units: [], gaps: [] }
      : {
          units: [],
          gaps: [
            same === null
              ? "what was written cannot be told: the server was started anew since or its counts were set to 0, and it keeps no log of it"
              : "something was written, by the binary log; how many rows cannot be told, since the server was started anew or its counts were set to 0",
          ],
        };
  const { definitions, ...rows } = counted;
  const isUntouched = rows.added + rows.changed + rows.removed + definitions === 0;
  if (isUntouched && same !== false) return { units: [], gaps: [] };
  const units =
    rows.added + rows.changed + rows.removed === 0
      ? []
      : [{ name: "all databases", ...rows, counted: "rows" as const }];
  return {
    units,
    gaps: [
      ...(definitions === 0 ? [] : [`${definitions} statements changed definitions, users or rights`]),
      units.length === 0
        ? "something was written of which no rows are counted"
        : "which rows they are is not told for a whole server, and rows that were rolled back are counted too",
    ],
  };
};

export const serverWrites: WriteLedger<ServerOptions> = {
  blindOncePutAway: true,
  position: async (context, location) => {
    const takenAt = context.clock.now();
    return makePosition(takenAt, await markAt(context, location));
  },

  writesSince: async (context, { location, since }) => {
    const seen = await lookAt(context, location);
    const { units, gaps } = compareMarks(readMark(since), seen.mark, seen.own);
    return { lastWriteAt: null, units, gaps: [...seen.gaps, ...gaps] };
  },

  estimateSince: async (context, since) => {
    const now = await nullWhenDown(context.signal, () => lookAt(context, null));
    if (now === null) return null;
    const { units, gaps } = compareMarks(readMark(since), now.mark, now.own);
    if (now.gaps.length > 0)
      return { about: "nobody can tell what", lastWriteAt: null, untold: [...now.gaps, ...gaps].join("; ") };
    const [rows] = units;
    if (rows !== undefined) {
      const count = rows.added + rows.changed + rows.removed;
      return {
        about: `about ${count.toLocaleString("en-US")} rows written, by the server's counts`,
        lastWriteAt: null,
      };
    }
    return { about: gaps[0] ?? "nothing", lastWriteAt: null };
  },
};
