/**
 * What a prune frees, by its census. Never copies out of a pack that the store holds: the pack could not go, and what was copied out of it
 * would lie where no lock is, under a point that is locked. Nor out of one that a repair has given up: nothing more can be had from it.
 */
import pLimit from "p-limit";
import type { RepositoryContext } from "../repository-context.ts";
import type { Census } from "./census.ts";
import { type PackChoice, choosePacks } from "./choose-packs.ts";
import { heldByLock } from "./let-go.ts";

const requestsAtOnce = 8;

export type PackChoices = {
  readonly choice: PackChoice;
  /** Found unused before. */
  readonly marked: readonly string[];
  /** In no index. */
  readonly orphans: readonly string[];
};

/** Asks the store for the lock of each pack that would be copied out of. */
export const choosePacksOf = async (
  { records, packs, stored, packNumbers }: Census,
  { store, clock }: Pick<RepositoryContext, "store" | "clock">,
): Promise<PackChoices> => {
  const marked = new Set([...records.values()].flatMap((record) => (record.kind === "unused" ? record.packs : [])));
  const orphans = [...stored.keys()].filter((id) => !packNumbers.has(id) && !marked.has(id));
  const limit = pLimit(requestsAtOnce);
  const damaged = [...records.values()].flatMap((record) => (record.kind === "damaged" ? record.packs : []));
  const held = new Map<string, boolean>(damaged.map((id) => [id, true]));
  for (;;) {
    const choice = choosePacks(
      packs,
      (id) => marked.has(id),
      (id) => held.get(id) === true,
    );
    const unknown = choice.repack.filter(({ id }) => !held.has(id));
    if (unknown.length === 0) return { choice, marked: [...marked], orphans };
    // Without these others are chosen instead.
    await Promise.all(
      unknown.map(async ({ id }) =>
        limit(async () => held.set(id, (await heldByLock(store, "data", id, clock)) !== null)),
      ),
    );
  }
};
