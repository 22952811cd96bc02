/** Where each order went that the shop acknowledged to a customer. Pure, so that a test can forge what must be noticed. */

export type PlacedOrder = { readonly id: number; readonly total: string };

export type OrderAccount = {
  readonly acknowledged: number;
  readonly inNewDatabase: number;
  readonly inExport: number;
  /** Acknowledged to a customer, and in neither place: must be none. */
  readonly missing: readonly number[];
  /** Numbers that two orders have: acknowledged twice, in both places, or with another total than the customer was told. Must be none. */
  readonly twice: readonly number[];
};

export const accountFor = (
  acknowledged: readonly PlacedOrder[],
  kept: readonly PlacedOrder[],
  exported: readonly PlacedOrder[],
): OrderAccount => {
  const keptTotals = new Map(kept.map(({ id, total }) => [id, total]));
  const exportedTotals = new Map(exported.map(({ id, total }) => [id, total]));
  const isIn = (totals: ReadonlyMap<number, string>, { id, total }: PlacedOrder): boolean => totals.get(id) === total;
  const told = new Set<number>();
  const twice = new Set<number>();
  for (const order of acknowledged) {
    const { id, total } = order;
    const places = [keptTotals, exportedTotals].filter((totals) => totals.has(id));
    const isOther = places.some((totals) => totals.get(id) !== total);
    if (told.has(id) || places.length > 1 || isOther) twice.add(id);
    told.add(id);
  }
  return {
    acknowledged: acknowledged.length,
    inNewDatabase: acknowledged.filter((order) => isIn(keptTotals, order)).length,
    inExport: acknowledged.filter((order) => isIn(exportedTotals, order)).length,
    missing: acknowledged
      .filter((order) => !isIn(keptTotals, order) && !isIn(exportedTotals, order))
      .map(({ id }) => id),
    twice: [...twice],
  };
};
