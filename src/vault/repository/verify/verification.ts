/** Verification: is all there that the snapshots need, and is it what was written? */
import type { VerifyDepth, VerifyReport, VaultProgress } from "../../../core/ports/vault.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { RepositoryContext } from "../repository-context.ts";

export const verifyRepository = async (
  _context: RepositoryContext,
  _depth: VerifyDepth,
  _signal: AbortSignal,
  _progress: VaultProgress | undefined,
): Promise<VerifyReport> => {
  throw new RefloatError("vault.unsupported", "verification comes with the next commit");
};
