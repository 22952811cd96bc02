/**
 * Escrow bundles: secrets that a recovery needs and that no point may hold, sealed under a key of their own. Whoever opens the vault finds a
 * bundle and cannot open it by that; whoever has its key needs the vault as well.
 */
import type { SnapshotId } from "../../model/identifiers.ts";
import type { Secret } from "./environment.ts";

export type EscrowItem = {
  /** Within the bundle, relative: `files/etc/shop/db-password`, `env/ORDERS_PASSWORD`, `commands/1`. */
  readonly name: string;
  /** Where it was read, as a reference has it: `file:/etc/shop/db-password`. */
  readonly source: string;
  readonly content: Uint8Array;
};

export type EscrowContents = {
  readonly sealedAt: string;
  readonly host: string;
  /** Id of the vault that it was made for. */
  readonly vault: string;
  readonly items: readonly EscrowItem[];
};

/** What a bundle is sealed with: a password, or public keys, so that who seals it cannot open it. */
export type EscrowLock =
  | { readonly kind: "password"; readonly secret: Secret }
  | { readonly kind: "recipients"; readonly recipients: readonly string[] };

export type EscrowKey = { readonly kind: "password" | "identity"; readonly secret: Secret };

/** What is done to bundles outside of the vault. */
export type EscrowTools = {
  /**
   * A file, or every file below a folder, byte for byte. Links are followed to files.
   * @param path absolute
   * @throws RefloatError secret.unavailable, also for what is neither
   */
  readonly read: (path: string, signal: AbortSignal) => Promise<readonly EscrowItem[]>;
  /** @throws RefloatError usage for a recipient that is none, and for more than a bundle is made for */
  readonly seal: (contents: EscrowContents, lock: EscrowLock) => Promise<Uint8Array>;
  /** @throws RefloatError escrow.wrong-key, vault.damaged, path.hostile */
  readonly open: (sealed: Uint8Array, key: EscrowKey) => Promise<EscrowContents>;
  /**
   * Makes the folder (mode 0700) with a file for each item (mode 0600), whole or not at all.
   * @param target absolute
   * @throws RefloatError target.exists, target.failed
   */
  readonly write: (target: string, contents: EscrowContents, signal: AbortSignal) => Promise<void>;
};

/** What anybody who opens the vault may know of a bundle. */
export type StoredEscrow = {
  readonly id: SnapshotId;
  readonly at: string;
  readonly host: string;
  readonly secrets: number;
  /** As it is stored. */
  readonly sizeBytes: number;
  readonly openedBy: EscrowLock["kind"];
};

/** The bundles of one vault. */
export type EscrowBundles = {
  /** Newest first. */
  readonly list: () => Promise<readonly StoredEscrow[]>;
  /** @param id full, a unique prefix, or null for the newest @throws RefloatError escrow.unknown */
  readonly find: (id: string | null) => Promise<StoredEscrow>;
  /** @throws RefloatError vault.damaged */
  readonly read: (id: SnapshotId) => Promise<Uint8Array>;
  /** Durable when it resolves; there is no half one. Locked like the log. @throws RefloatError vault.* */
  readonly store: (sealed: Uint8Array, facts: Pick<StoredEscrow, "secrets" | "openedBy">) => Promise<StoredEscrow>;
};
