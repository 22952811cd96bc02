/** Turns the vault's steps of progress into the running totals that people see. */
import type { ReportProgress } from "../core/ports/environment.ts";
import type { VaultProgress } from "../core/ports/vault-snapshots.ts";

export const accumulateProgress = (
  report: ReportProgress,
  totals: { readonly unit: string; readonly bytesTotal?: number; readonly itemsTotal?: number },
): VaultProgress => {
  let bytesDone = 0;
  let itemsDone = 0;
  return ({ bytes, items }) => {
    bytesDone += bytes;
    itemsDone += items;
    report({ ...totals, bytesDone, itemsDone });
  };
};
