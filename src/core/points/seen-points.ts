/** Points that this machine has seen: what is missed of them tells of a vault that was rolled back, which the vault itself cannot. */
import type { RecoveryPoint } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { SeenPoint, VaultNotes } from "../ports/vault-memory.ts";
import type { Workbench } from "../ports/workbench.ts";

export const withSeen = (notes: VaultNotes, points: readonly RecoveryPoint[]): VaultNotes => ({
  ...notes,
  seen: {
    ...notes.seen,
    ...Object.fromEntries(
      points.map(({ id, manifest }) => [id, { service: manifest.service, takenAt: manifest.consistentAt }]),
    ),
  },
});

/** @param isKnown whether the point is in the vault, readable or not, or its departure is recorded */
export const missedPoints = (
  { seen }: VaultNotes,
  isKnown: (point: string) => boolean,
): readonly (SeenPoint & { readonly point: string })[] =>
  Object.entries(seen)
    .filter(([point]) => !isKnown(point))
    .map(([point, facts]) => ({ point, ...facts }));

const nothing: VaultNotes = { seen: {}, verification: null, verified: {} };

/** Remembers points, and gives back all that is remembered. A state folder that fails costs the memory, never the answer. */
export const rememberSeen = async (
  bench: Pick<Workbench, "vaultMemory" | "log">,
  points: readonly RecoveryPoint[],
): Promise<VaultNotes> => {
  try {
    const memory = await bench.vaultMemory();
    await memory.note((before) => withSeen(before, points));
    return await memory.notes();
  } catch (error) {
    if (!(error instanceof RefloatError && error.code === "journal.failed")) throw error;
    bench.log.warn("the points of the vault could not be remembered", { reason: error.message });
    return nothing;
  }
};
