/** What a file system's refusal means to a person. */
import { RefloatError } from "../../../model/refloat-error.ts";

const fullCodes = new Set(["ENOSPC", "EDQUOT"]);

/** @param act what was tried, as in `write data/3f` */
export const storeFailure = (location: string, act: string, cause: unknown): RefloatError => {
  if (cause instanceof RefloatError) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  if (code !== undefined && fullCodes.has(code)) {
    return new RefloatError("vault.no-space", `the vault at ${location} is full`, {
      cause,
      context: { act },
      state: "nothing was committed; what was written stays unreferenced until it is pruned",
      hint: "make room on its file system, or prune the vault",
    });
  }
  return new RefloatError("vault.store-failed", `the vault at ${location} failed to ${act}: ${code ?? String(cause)}`, {
    cause,
    context: { act, code: code ?? null },
  });
};
