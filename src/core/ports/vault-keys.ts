/** The keys of a vault: each is a password that opens all of it. */
import type { LockMode } from "../../model/declaration.ts";

export type VaultKey = {
  readonly id: string;
  readonly username: string;
  readonly hostname: string;
  readonly createdAt: string;
  /** It opened this session. */
  readonly current: boolean;
};

/**
 * @property lock as long and as strict as that of the config and of the other keys; null where those have none
 * @property notLocked why it could not be locked; null if it was, or need not be. The next capture under `lock:` tries again
 */
export type AddedKey = VaultKey & {
  readonly lock: { readonly until: string; readonly mode: LockMode } | null;
  readonly notLocked: string | null;
};

export type VaultKeys = {
  readonly location: string;
  /** Oldest first. One whose file is damaged is left out. */
  readonly list: () => Promise<readonly VaultKey[]>;
  /** Is it a password of the vault, however it is spelt? */
  readonly opens: (password: string) => Promise<boolean>;
  /** Durable when it resolves, proven to open the vault, and locked like the other keys. */
  readonly add: (password: string) => Promise<AddedKey>;
  /**
   * @param id full or a unique prefix
   * @throws RefloatError key.unknown; key.in-use for the one that opened this session, and so for the last one
   */
  readonly remove: (id: string) => Promise<VaultKey>;
  /** A new password in the place of the one that opened this session: added and proven first, then the old one is removed. */
  readonly rotate: (password: string) => Promise<{ readonly added: AddedKey; readonly removed: VaultKey }>;
  readonly close: () => Promise<void>;
};
