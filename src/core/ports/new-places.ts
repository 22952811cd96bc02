/** Where single things out of a point go: to a place where nothing was, whole or not at all. */
import type { ByteStream } from "./bytes.ts";
import type { FolderEntry } from "./vault-snapshots.ts";

export type ArchiveEntry = {
  /** Inside the archive; relative, without `.` and `..`. */
  readonly name: Uint8Array;
  readonly entry: FolderEntry;
  /** Of a file that is written out; null for anything else. */
  readonly content: ByteStream | null;
  /** The name in the archive of which this is one more. */
  readonly linkTo: Uint8Array | null;
};

export type NewPlaces = {
  /**
   * Makes `target` by way of a name beside it, which `fill` is given and makes; it gets its own name when it is whole, and is removed when
   * `fill` throws. A process that is killed leaves it under the other name, which says that it is not whole.
   * @throws RefloatError target.exists, also when it appears meanwhile; target.failed
   */
  readonly make: <Result>(target: string, fill: (partial: string) => Promise<Result>) => Promise<Result>;
  /** The same for one file of the given bytes, durable when it resolves. Mode 0600. @returns its length */
  readonly write: (target: string, bytes: ByteStream, signal: AbortSignal) => Promise<number>;
  /** A tar archive; ends with the error of whatever goes into it. */
  readonly archive: (entries: AsyncIterable<ArchiveEntry>, compression: "none" | "zstd") => ByteStream;
};
