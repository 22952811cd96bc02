/** What became of each point that was to be brought to a second vault. */
import type { PointId } from "../../model/identifiers.ts";
import type { Unreadable } from "../ports/vault-snapshots.ts";

export type CopiedPoint = {
  readonly point: PointId;
  readonly service: string;
  readonly takenAt: string;
  /** `missing`: of a dry run, it would be copied. `damaged`: it cannot be copied whole, and was not. `gone`: it expired meanwhile. */
  readonly state: "there" | "copied" | "missing" | "damaged" | "gone";
  readonly reason: string | null;
  readonly blobs: number;
  readonly newBytes: number;
  /** Until when it was declared to be locked; null if that is over. */
  readonly lockUntil: string | null;
};

export type VaultCopy = {
  readonly dryRun: boolean;
  readonly from: { readonly location: string; readonly vault: string };
  readonly to: { readonly location: string; readonly vault: string; readonly locks: boolean };
  /** Oldest first. */
  readonly points: readonly CopiedPoint[];
  /** Holds that were carried over. */
  readonly holds: number;
  /** Marks that the copy did not have, and removals of marks. */
  readonly marks: number;
  /** Records of incidents that the copy did not have. */
  readonly incidents: number;
  /** Pieces of logs that the copy did not have. */
  readonly logs: number;
  /** Escrow bundles that the copy did not have. */
  readonly escrows: number;
  readonly unreadable: readonly Unreadable[];
};
