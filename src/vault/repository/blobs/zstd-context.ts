/**
 * Zstandard frames by one context for each thread. Node's `zstdCompressSync` makes a context of up to some megabytes, a stream and a
 * buffer for every call, which for a file of 16 KB takes as long as the compression itself. The handle behind a stream can be used
 * again and again; it is not public, although npm's own archives are written by it (minizlib). So nothing here trusts it: where it is
 * not as expected, or a frame is not what it was expected to be, the public functions do the work. Whoever holds the content against
 * its hash asks them too before it is called damaged.
 */
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** restic's default; like it, every blob is compressed, also one that does not get smaller. */
const compressionLevel = 3;
const compressionOptions = { params: { [constants.ZSTD_c_compressionLevel]: compressionLevel } };
/** What zlib asks for at least. */
const leastChunkBytes = 64;

type Handle = {
  readonly writeSync: (
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    output: Uint8Array,
    outputAt: number,
    outputBytes: number,
  ) => void;
};

/** @returns how many bytes were written, or undefined if not the whole input was used or the target is not filled as it should be */
type Run = (input: Uint8Array, target: Uint8Array) => number | undefined;

/** @param isWhole whether so many bytes of the target may be left */
const createContext = (stream: object, flush: number, isWhole: (left: number) => boolean): Run | undefined => {
  const { _handle: handle, _writeState: left } = stream as {
    readonly _handle?: Handle;
    readonly _writeState?: unknown;
  };
  if (typeof handle?.writeSync !== "function" || !(left instanceof Uint32Array)) return undefined;
  let failed = false;
  Object.assign(handle, {
    onerror: () => {
      failed = true;
    },
  });
  return (input, target) => {
    if (failed) return undefined;
    handle.writeSync(flush, input, 0, input.length, target, 0, target.length);
    const [targetLeft = 0, inputLeft = 0] = left;
    failed ||= inputLeft > 0 || !isWhole(targetLeft);
    return failed ? undefined : target.length - targetLeft;
  };
};

/** Makes a context at the first use, and a new one after a frame that it could not do: it may be in the middle of that frame. */
const createReused = (make: () => Run | undefined): { readonly run: Run; readonly drop: () => void } => {
  let run: Run | undefined;
  let usable = true;
  const reused: Run = (input, target) => {
    if (!usable) return undefined;
    run ??= make();
    usable = run !== undefined;
    const written = run?.(input, target);
    if (written === undefined) run = undefined;
    return written;
  };
  const drop = (): void => {
    run = undefined;
  };
  return { run: reused, drop };
};

const compressor = createReused(() =>
  createContext(createZstdCompress(compressionOptions), constants.ZSTD_e_end, (left) => left > 0),
);
const decompressor = createReused(() =>
  createContext(createZstdDecompress(), constants.ZSTD_e_continue, (left) => left === 1),
);

/** ZSTD_COMPRESSBOUND, and a byte that stays free. */
export const compressedBound = (plainBytes: number): number => plainBytes + (plainBytes >>> 8) + 129;

/**
 * Writes `plain` as one frame.
 * @param target has room for `compressedBound(plain.length)`
 * @returns the length of the frame
 */
export const compressInto = (plain: Uint8Array, target: Uint8Array): number => {
  const written = compressor.run(plain, target);
  if (written !== undefined) return written;
  const frame = zstdCompressSync(plain, { ...compressionOptions, chunkSize: compressedBound(plain.length) });
  target.set(frame);
  return frame.length;
};

/**
 * Reads a frame.
 * @param target one byte longer than the content should be
 * @returns the length of the content, which may be shorter
 * @throws what zlib throws when it is no frame, or its content is longer
 */
export const decompressInto = (frame: Uint8Array, target: Uint8Array): number => {
  return decompressor.run(frame, target) ?? decompressAlone(frame, target);
};

/** The same by the public function alone, after which nothing of an earlier frame is left. */
export const decompressAlone = (frame: Uint8Array, target: Uint8Array): number => {
  decompressor.drop();
  const plain = zstdDecompressSync(frame, {
    maxOutputLength: target.length - 1,
    chunkSize: Math.max(target.length, leastChunkBytes),
  });
  target.set(plain);
  return plain.length;
};
