/** Giving back what no snapshot needs. */
import type { VaultProgress } from "./vault-snapshots.ts";

export type PruneForecast = {
  readonly usedBytes: number;
  /** In packs of which nothing is used. */
  readonly unusedBytes: number;
  /** What is used of packs that are little used is copied out of them, so that they can go. */
  readonly repackBytes: number;
  readonly repackFreesBytes: number;
  /** Unused, and left lying among what is used: too little to be worth a copy. */
  readonly toleratedBytes: number;
};

export type PruneReport = {
  readonly foundPacks: number;
  readonly copiedBytes: number;
  readonly removedPacks: number;
  readonly freedBytes: number;
  /** Removed, and kept by the store as versions that only its own rules take away. */
  readonly hiddenBytes: number;
  /** Found unused earlier, and used by what was committed since: they stay. */
  readonly recoveredPacks: number;
  /** Found unused, and not removed yet. */
  readonly waitingBytes: number;
  /** Who may still count on it, or reads the vault. */
  readonly waitsFor: readonly string[];
  /** Until when it waits for time alone; null if it does not. */
  readonly waitsUntil: string | null;
  /** What the store does not let go of: a lock, with its end, or a right that is lacking. */
  readonly refused: readonly {
    readonly kind: string;
    readonly name: string;
    readonly reason: string;
    readonly until: string | null;
  }[];
  /** Half-written files of killed processes. */
  readonly sweptTemporaries: number;
};

/** A prune that has counted and has removed nothing yet. Must be closed. */
export type Pruning = {
  readonly forecast: PruneForecast;
  readonly run: (signal: AbortSignal, progress?: VaultProgress) => Promise<PruneReport>;
  readonly close: () => Promise<void>;
};
