/** For where nobody is to be told. */
import type { Notifier } from "../ports/notifier.ts";

export const silentNotifier: Notifier = {
  tell: () => undefined,
  tellOnce: async () => undefined,
  carry: () => undefined,
  settle: async () => [],
};
