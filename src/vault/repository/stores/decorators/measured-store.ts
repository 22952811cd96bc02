/** Counts what is asked of a store. A file that is missing is an answer, not a failure. */
import { type Store, StoreFileMissing, retentionOf } from "../store.ts";
import type { StoreAct, StoreUseCounter } from "./store-use.ts";

export const measuredStore = (store: Store, use: StoreUseCounter): Store => {
  const measure = async <Result>(
    act: StoreAct,
    run: () => Promise<Result>,
    bytesOf: (result: Result) => number = () => 0,
  ): Promise<Result> => {
    const end = use.begin(act);
    try {
      const result = await run();
      end({ bytes: bytesOf(result), failed: false });
      return result;
    } catch (error) {
      end({ bytes: 0, failed: !(error instanceof StoreFileMissing) });
      throw error;
    }
  };
  return {
    location: store.location,
    // Locks go past it: they move no bytes, and a store that can lock repeats what it asks of its server.
    ...retentionOf(store),
    async *list(kind) {
      const end = use.begin("list");
      let failed = true;
      try {
        yield* store.list(kind);
        failed = false;
      } finally {
        end({ bytes: 0, failed });
      }
    },
    stat: async (kind, name) => measure("stat", async () => store.stat(kind, name)),
    read: async (kind, name) =>
      measure(
        "read",
        async () => store.read(kind, name),
        (content) => content.length,
      ),
    readRange: async (kind, name, offset, length, into) =>
      measure(
        "read",
        async () => store.readRange(kind, name, offset, length, into),
        (content) => content.length,
      ),
    write: async (kind, name, content) =>
      measure(
        "write",
        async () => store.write(kind, name, content),
        () => content.length,
      ),
    begin: (kind) => {
      const pending = store.begin(kind);
      let bytes = 0;
      return {
        append: (part) => {
          pending.append(part);
          bytes += part.length;
        },
        finish: async (name) =>
          measure(
            "write",
            async () => pending.finish(name),
            () => bytes,
          ),
        discard: () => pending.discard(),
      };
    },
    remove: async (kind, name) => measure("remove", async () => store.remove(kind, name)),
    sweep: async () => measure("sweep", async () => store.sweep()),
    close: async () => store.close(),
  };
};
