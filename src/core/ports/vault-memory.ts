/**
 * What this machine remembers of one vault: which points it has seen, when which pack was read, what the last verification said. A help
 * for choosing and for noticing, never a proof: it can be lost, and is then made again from nothing; what it says is held against the vault.
 */
export type SeenPoint = { readonly service: string; readonly takenAt: string };

export type LastVerification = {
  readonly at: string;
  readonly depth: string;
  readonly errors: number;
  /** Every byte of the vault was read at this instant or later; null while some were not. */
  readonly provenSince: string | null;
};

export type VaultNotes = {
  /** By id of the point. */
  readonly seen: Readonly<Record<string, SeenPoint>>;
  readonly verification: LastVerification | null;
  /** By id of the point: all that it needs was read at this instant or later, and was sound. */
  readonly verified: Readonly<Record<string, string>>;
};

/** By id of the pack: when it was read through and found sound, in seconds since 1970. */
export type PackReads = Map<string, number>;

export type VaultMemory = {
  readonly notes: () => Promise<VaultNotes>;
  /**
   * @param change of what is remembered at that moment, by whichever process; called again if another one was quicker
   * @throws RefloatError journal.failed
   */
  readonly note: (change: (before: VaultNotes) => VaultNotes) => Promise<void>;
  readonly reads: () => Promise<PackReads>;
  /** Remembers what has changed between the two, beside what another process has saved meanwhile. @throws RefloatError journal.failed */
  readonly saveReads: (before: Readonly<PackReads>, after: Readonly<PackReads>) => Promise<void>;
  /** Keeps what a repair takes out of the vault. Durable when it resolves. @returns the path of the file */
  readonly keepEvidence: (name: string, content: Uint8Array) => Promise<string>;
};
