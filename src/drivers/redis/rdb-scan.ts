/**
 * Reads an RDB file as it passes: that it is whole to its last byte and checksum, and how many keys it holds. Values are stepped over, never built.
 * Behind what is not known keys are not counted, and the checksum alone vouches for the rest.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import { createCrc64 } from "./crc64.ts";
import { type RdbFound, RdbWindow, parseRdb, torn } from "./rdb-format.ts";

export type RdbFindings = {
  /** Of the format, from the first nine bytes. */
  readonly version: number;
  readonly sizeBytes: number;
  /** What the server wrote about itself: redis-ver, repl-id, repl-offset, ... */
  readonly notes: Readonly<Record<string, string>>;
  /** By database, `db0`; null when something in it is not known here. */
  readonly counts: Readonly<Record<string, { readonly keys: number; readonly expiring: number }>> | null;
  /** Libraries of functions. */
  readonly functions: number;
  /** What ended the counting, in a person's words; null when nothing did. */
  readonly unknown: string | null;
  /** False where the server is told not to make one (rdbchecksum no). */
  readonly hasChecksum: boolean;
};

export type RdbScan = {
  readonly add: (chunk: Uint8Array) => void;
  /** @throws RefloatError source.failed unless it was a whole RDB file */
  readonly end: () => RdbFindings;
};

const checksumBytes = 8;

export const scanRdb = (): RdbScan => {
  const window = new RdbWindow();
  const found: RdbFound = { version: 0, functions: 0, notes: {}, counts: {} };
  const parser = parseRdb(window, found);
  const crc = createCrc64();
  let sizeBytes = 0;
  let kept = Buffer.alloc(0);
  let unknown: string | null = null;
  let isDone = false;
  const step = (): void => {
    if (isDone) return;
    const { done = false, value } = parser.next();
    isDone = done;
    if (done) unknown = value ?? null;
  };
  return {
    add: (chunk) => {
      sizeBytes += chunk.length;
      const all =
        kept.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([kept, chunk]);
      const ready = Math.max(0, all.length - checksumBytes);
      // The last bytes may be the checksum: copied, since what they lie in is the sender's.
      kept = Buffer.from(all.subarray(ready));
      if (ready === 0) return;
      const body = all.subarray(0, ready);
      crc.add(body);
      if (isDone) return;
      window.add(body);
      step();
    },
    end: () => {
      window.isLast = true;
      step();
      if (!isDone || kept.length < checksumBytes) throw torn();
      const checksum = kept.readBigUInt64LE();
      if (checksum !== 0n && checksum !== crc.value())
        throw new RefloatError("source.failed", "what the server sent has not the checksum that it says", {
          state: "no point was made",
        });
      if (checksum === 0n && unknown !== null)
        throw new RefloatError(
          "source.unsupported",
          `whether the data came whole cannot be told: it has no checksum, and ${unknown} is not known here`,
          { hint: "CONFIG SET rdbchecksum yes" },
        );
      return {
        version: found.version,
        sizeBytes,
        notes: found.notes,
        counts: unknown === null ? found.counts : null,
        functions: found.functions,
        unknown,
        hasChecksum: checksum !== 0n,
      };
    },
  };
};
