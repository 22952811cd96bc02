/** Keeps a store within a rate, for stores that cannot pace what they send themselves: large reads go in pieces, a write waits before it goes. */
import { type Store, retentionOf } from "../store.ts";
import type { Pace } from "./throttle.ts";

/** A tenth of a second at 10 MB/s. */
const pieceBytes = 1024 * 1024;

export const pacedStore = (store: Store, pace: Pace): Store => ({
  location: store.location,
  // Locks go past it: they move no bytes, and a store that can lock repeats what it asks of its server.
  ...retentionOf(store),
  list: (kind) => store.list(kind),
  stat: async (kind, name) => store.stat(kind, name),
  read: async (kind, name) => {
    await pace.download((await store.stat(kind, name)).sizeBytes);
    return store.read(kind, name);
  },
  readRange: async (kind, name, offset, length, into) => {
    const target = into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length);
    for (let at = 0; at === 0 || at < length; at += pieceBytes) {
      const size = Math.min(pieceBytes, length - at);
      await pace.download(size);
      await store.readRange(kind, name, offset + at, size, target.subarray(at, at + size));
    }
    return target;
  },
  write: async (kind, name, content) => {
    await pace.upload(content.length);
    await store.write(kind, name, content);
  },
  begin: (kind) => {
    const pending = store.begin(kind);
    let bytes = 0;
    return {
      append: (part) => {
        pending.append(part);
        bytes += part.length;
      },
      finish: async (name) => {
        await pace.upload(bytes);
        await pending.finish(name);
      },
      discard: () => pending.discard(),
    };
  },
  remove: async (kind, name) => store.remove(kind, name),
  sweep: async () => store.sweep(),
  close: async () => store.close(),
});
