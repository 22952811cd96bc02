/** What a verification of the vault finds, and what a repair does about it. */
import type { SnapshotId } from "../../model/identifiers.ts";
import type { BlobCopies } from "./vault-copying.ts";

/** `sample`: the structure, and the data of some packs. */
export type VerifyDepth = "structure" | "sample" | "read-data";

/** How much of the data a `sample` reads; what is reached first ends it. At least one pack is read, so that all come in turn. */
export type VerifyLimit = {
  /** 0 to 1, of all bytes. */
  readonly share?: number;
  readonly bytes?: number;
  /** From the beginning of the verification, the structure included: no pack is begun later. */
  readonly durationMs?: number;
};

/** How much of the vault's data was read in the last 30 days, by what the caller remembers and this verification added. */
export type VerifyCoverage = {
  readonly days: number;
  readonly packs: number;
  readonly packsRead: number;
  readonly bytes: number;
  readonly bytesRead: number;
  /** Each pack was read at this instant or later; null while one never was, or was found damaged. */
  readonly provenSince: string | null;
};

/** How much of the data one verification read, and what that says of the rest. */
export type VerifyReading = {
  readonly packs: number;
  readonly packsRead: number;
  readonly bytes: number;
  readonly bytesRead: number;
  /** Of the reading alone. */
  readonly durationMs: number;
  /** Reading everything at this rate; null when nothing can be said. */
  readonly fullPassMs: number | null;
};

export type VerifyFinding = {
  readonly severity: "error" | "warning";
  readonly message: string;
  /** What is hurt: `pack`, `index`, `snapshot`, `blob`, with the id. */
  readonly object: { readonly kind: string; readonly id: string };
  /** Paths and snapshots that need it, as far as known. */
  readonly affects: readonly { readonly snapshot: SnapshotId; readonly path: string }[];
};

export type VerifyReport = {
  readonly depth: VerifyDepth;
  readonly snapshots: number;
  readonly packs: number;
  readonly blobs: number;
  readonly bytesRead: number;
  /** Null for `structure`, which reads no data. */
  readonly reading: VerifyReading | null;
  readonly coverage: VerifyCoverage;
  readonly findings: readonly VerifyFinding[];
};

export type RepairOptions = {
  /** False: only finds out what could be repaired; writes nothing. */
  readonly apply: boolean;
  /** Asked in this order for what no pack of the vault holds sound. */
  readonly sources: readonly BlobCopies[];
  /** Keeps what is about to be removed, durably. @returns where */
  readonly keepEvidence: (name: string, content: Uint8Array) => Promise<string>;
};

export type RepairReport = {
  readonly applied: boolean;
  /** Indexes that are damaged, or name a damaged pack, and are written anew. */
  readonly indexesRebuilt: number;
  /** Packs in no readable index, taken in by their own headers. */
  readonly packsIndexed: number;
  readonly packsReplaced: number;
  readonly blobs: {
    /** Another pack has them. */
    readonly copied: number;
    /** Sound in the damaged pack itself. */
    readonly salvaged: number;
    /** By the name of the source. */
    readonly fetched: Readonly<Record<string, number>>;
    /** Nobody has them: what needs them stays hurt. */
    readonly lost: number;
  };
  /** Where what was removed is kept. */
  readonly evidence: readonly string[];
  /** Damaged files that the store does not let go of, such as locked ones. They stay beside the sound copies. */
  readonly refused: readonly { readonly kind: string; readonly name: string; readonly reason: string }[];
};
