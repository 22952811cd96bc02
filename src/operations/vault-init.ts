/** vault init: makes the vault that the file names, with the password that the file points to. */
import type { Workbench } from "../core/ports/workbench.ts";

export type InitializedVault = { readonly location: string; readonly id: string };

/** @throws RefloatError vault.exists, vault.store-failed, secret.unavailable */
export const initVault = async (bench: Workbench): Promise<InitializedVault> => {
  const { location, id } = await bench.createVault();
  // There is no log before there is a vault: one entry, not a begin and an end.
  await bench.audit.append({ action: "vault-init", outcome: "done", service: null, detail: { location, id } });
  await bench.audit.settle();
  return { location, id };
};
