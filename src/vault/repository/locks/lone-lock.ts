/**
 * The lock of those who take packs or indexes away: shared towards captures and readers, and one at a time among themselves. A prune that
 * removes what a repair has just taken into an index would leave an index that lies.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import type { HeldLock, RepositoryLock } from "./repository-lock.ts";
import { readSessions } from "./sessions.ts";

export type LoneLock = {
  readonly lock: RepositoryLock;
  readonly held: HeldLock;
  readonly release: () => Promise<void>;
};

/** @throws RefloatError vault.locked */
export const holdLoneLock = async (shared: RepositoryLock): Promise<LoneLock> => {
  const lock = shared.forPrune();
  const held = await lock.hold();
  const release = async (): Promise<void> => {
    held.release();
    await lock.close();
  };
  try {
    const other = (await readSessions(lock.options)).find(
      ({ key, role }) => key !== held.session() && (role === "prune" || role === "sweep"),
    );
    if (other === undefined) return { lock, held, release };
    throw new RefloatError("vault.locked", `another prune or repair of the vault goes on: ${other.who}`, {
      state: "nothing was changed",
      hint: "wait for it to end",
    });
  } catch (error) {
    await release();
    throw error;
  }
};
