/** What a command on escrow bundles has to tell. */
import type { EscrowContents, StoredEscrow } from "../ports/escrow.ts";

/** What is in a bundle, without the secrets themselves. */
export type EscrowListing = Omit<EscrowContents, "items"> & {
  readonly bundle: string;
  readonly items: readonly { readonly name: string; readonly source: string; readonly sizeBytes: number }[];
};

export type EscrowView = {
  readonly location: string;
  /** Newest first. */
  readonly bundles: readonly StoredEscrow[];
  /** Of the bundle that was sealed or opened; null without its key. */
  readonly contents: EscrowListing | null;
  /** Secrets that could not be read, and were left out because a person said so. */
  readonly missing: readonly string[];
  /** The folder that it was written to. */
  readonly target: string | null;
};

export const listContents = (bundle: string, { items, ...facts }: EscrowContents): EscrowListing => ({
  bundle,
  ...facts,
  items: items.map(({ name, source, content }) => ({ name, source, sizeBytes: content.length })),
});
