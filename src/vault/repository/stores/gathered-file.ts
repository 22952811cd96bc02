/** A pending file for stores that cannot append: its parts lie in memory until its name is known. */
import { RefloatError } from "../../../model/refloat-error.ts";
import { releaseMemory } from "../../../platform/release-memory.ts";
import type { PendingFile } from "./store.ts";

/** A pack of 16 MiB with its header; memory that is never touched costs nothing. */
const usualBytes = 17 * 1024 * 1024;

/** @param write stores the whole file; what it is given is overwritten once it has resolved or rejected */
export const gatherFile = (write: (name: string, content: Buffer) => Promise<void>): PendingFile => {
  let memory: Buffer | undefined = Buffer.allocUnsafeSlow(usualBytes);
  let length = 0;
  let over = false;
  const release = (): void => {
    if (memory !== undefined) releaseMemory(memory);
    memory = undefined;
  };
  return {
    append: (part) => {
      if (memory === undefined || over) throw new RefloatError("bug", "a finished file of the vault was appended to");
      if (length + part.length > memory.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(memory.length * 2, length + part.length));
        memory.copy(larger, 0, 0, length);
        releaseMemory(memory);
        memory = larger;
      }
      memory.set(part, length);
      length += part.length;
    },
    finish: async (name) => {
      if (memory === undefined || over) throw new RefloatError("bug", "a file of the vault was finished twice");
      over = true;
      try {
        await write(name, memory.subarray(0, length));
      } finally {
        release();
      }
    },
    discard: () => {
      // While it is being written its memory is still read.
      if (!over) release();
      over = true;
    },
  };
};
