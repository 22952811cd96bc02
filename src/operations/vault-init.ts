/** vault init: makes the vault that the file names, with the password that the file points to. */
import type { Workbench } from "../core/ports/workbench.ts";

export type InitializedVault = { readonly location: string; readonly id: string };

/**
 * @param inPlaceOf first letters of the id of a vault that was there and is given up; null where none is known
 * @throws RefloatError vault.exists, vault.away, vault.store-failed, secret.unavailable
 */
export const initVault = async (bench: Workbench, inPlaceOf: string | null): Promise<InitializedVault> => {
  const { location, id } = await bench.createVault({ inPlaceOf });
  // There is no log before there is a vault: one entry, not a begin and an end.
  await bench.audit.append({
    action: "vault-init",
    outcome: "done",
    service: null,
    detail: { location, id, ...(inPlaceOf === null ? {} : { inPlaceOf }) },
  });
  await bench.audit.settle();
  return { location, id };
};
