/** Who captures into an open repository, and whether something claimed may have been lost since. */

import type { RepositoryContext } from "../repository-context.ts";

export class CaptureState {
  #active = 0;
  #tainted = false;

  begin(): void {
    this.#active += 1;
  }

  end(): void {
    this.#active -= 1;
  }

  get isActive(): boolean {
    return this.#active > 0;
  }

  /** Writing failed: blobs were claimed that are in no pack, and a snapshot that relied on them would have holes. */
  taint(): void {
    this.#tainted = true;
  }

  /** @returns whether the claims must be cleared before the next capture; none may be under way then */
  takeTaint(): boolean {
    if (!this.#tainted || this.#active > 0) return false;
    this.#tainted = false;
    return true;
  }
}

/** After a full disk, say: the room of unfinished packs is given back, and what was claimed and not stored is claimed no more. */
export const clearFailure = async ({
  captures,
  pool,
  table,
}: Pick<RepositoryContext, "captures" | "pool" | "table">): Promise<void> => {
  if (!captures.takeTaint()) return;
  try {
    await Promise.all(pool.started.map(async (thread) => thread.call("drop-packs", null)));
    table.dropClaims();
  } catch (error) {
    captures.taint();
    throw error;
  }
};
