/** Back-pressure of a stream that may close before it wants more. */
import type { Writable } from "node:stream";

/** Until more can be written, or nothing any more. */
export const drained = (target: Writable): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      target.off("drain", done).off("close", done);
      resolve();
    };
    target.on("drain", done).on("close", done);
    if (target.destroyed) done();
  });
