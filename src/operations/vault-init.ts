/** vault init: makes the vault that the file names, with the password that the file points to. */
import type { Workbench } from "../core/ports/workbench.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type InitializedVault = { readonly location: string; readonly id: string };

/**
 * @param inPlaceOf first letters of the id of a vault that was there and is given up; null where none is known
 * @throws RefloatError vault.exists, vault.away, vault.store-failed, secret.unavailable
 */
export const initVault = async (bench: Workbench, inPlaceOf: string | null): Promise<InitializedVault> => {
  const { location, id } = await bench.createVault({ inPlaceOf }).catch((error: unknown) => {
    throw error instanceof RefloatError && error.code === "vault.exists" ? usedAsItIs(bench, error) : error;
  });
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

/** Without a file there is nothing to be asked but what is in it. */
const usedAsItIs = ({ breakGlass }: Workbench, error: RefloatError): RefloatError =>
  new RefloatError(error.code, error.message, {
    cause: error,
    context: error.context,
    state: "nothing was changed",
    hint: "a vault is made once; this one can be used as it is",
    nextCommand: breakGlass ? "refloat verify" : "refloat validate --live",
  });
