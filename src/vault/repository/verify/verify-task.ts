/** What passes between the main thread and the workers while packs are read through. */
import type { PackedBlob } from "../format/pack-header.ts";

export type VerifyPackTask = {
  readonly job: number;
  readonly packId: string;
  readonly sizeBytes: number;
  /** As the indexes have them. */
  readonly blobs: readonly PackedBlob[];
};

export type PackProblem = {
  /** The blob that is hurt; null if it is the pack as such. */
  readonly blob: Pick<PackedBlob, "id" | "type"> | null;
  readonly message: string;
};

export type VerifiedPack = { readonly bytesRead: number; readonly problems: readonly PackProblem[] };
