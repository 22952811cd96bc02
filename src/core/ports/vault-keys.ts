/** The keys of a vault: each is a password that opens all of it. */

export type VaultKey = {
  readonly id: string;
  readonly username: string;
  readonly hostname: string;
  readonly createdAt: string;
  /** It opened this session. */
  readonly current: boolean;
};

export type VaultKeys = {
  readonly location: string;
  /** Oldest first. One whose file is damaged is left out. */
  readonly list: () => Promise<readonly VaultKey[]>;
  /** Is it a password of the vault, however it is spelt? */
  readonly opens: (password: string) => Promise<boolean>;
  /** Durable when it resolves, and proven to open the vault. */
  readonly add: (password: string) => Promise<VaultKey>;
  /**
   * @param id full or a unique prefix
   * @throws RefloatError key.unknown; key.in-use for the one that opened this session, and so for the last one
   */
  readonly remove: (id: string) => Promise<VaultKey>;
  /** A new password in the place of the one that opened this session: added and proven first, then the old one is removed. */
  readonly rotate: (password: string) => Promise<{ readonly added: VaultKey; readonly removed: VaultKey }>;
  readonly close: () => Promise<void>;
};
