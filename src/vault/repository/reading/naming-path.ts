import { RefloatError } from "../../../model/refloat-error.ts";

/** Damage, told with the file that it hurts; any other error as it is. */
export const namingPath = (error: unknown, path: string, snapshot: string): unknown => {
  if (!(error instanceof RefloatError && error.code === "vault.damaged")) return error;
  return new RefloatError("vault.damaged", `${path} cannot be read from the vault: ${error.message}`, {
    cause: error,
    context: { ...error.context, path, snapshot },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
};
