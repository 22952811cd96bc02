/** Acts on many items at a time. */
import type { LimitFunction } from "p-limit";

/** All, or until one fails or the signal aborts; none is under way when it ends. @throws what the first failure threw; the signal's reason */
export const eachOf = async <Item>(
  items: readonly Item[],
  limit: LimitFunction,
  signal: AbortSignal,
  act: (item: Item) => Promise<void>,
): Promise<void> => {
  let failure: { readonly error: unknown } | undefined;
  await Promise.all(
    items.map(async (item) =>
      limit(async () => {
        if (failure !== undefined || signal.aborted) return;
        try {
          await act(item);
        } catch (error) {
          failure ??= { error };
        }
      }),
    ),
  );
  signal.throwIfAborted();
  if (failure !== undefined) throw failure.error;
};
