/** The declaration of a vault whose file is lost: each service as its newest point has it. */
import type { Declaration } from "../../model/declaration.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";

/**
 * @param points newest first
 * @throws RefloatError point.unknown for a vault without points
 */
export const declarationOfPoints = (vault: Declaration["vault"], points: readonly RecoveryPoint[]): Declaration => {
  const services: Declaration["services"] = {};
  for (const { manifest } of points) services[manifest.service] ??= manifest.declaration;
  if (Object.keys(services).length > 0) return { vault, services };
  throw new RefloatError("point.unknown", `the vault at ${vault.url} has no recovery point that can be read`, {
    hint: "is it the right vault? `refloat verify` tells what is in it and what is damaged",
  });
};
