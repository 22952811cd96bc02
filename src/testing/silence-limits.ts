/** Which limit of silence a source's connection has while a vault, which may be slow, has a piece of its stream: there must be none. */
import { Socket } from "node:net";
import { vi } from "vitest";
import type { CaptureSink } from "../core/ports/vault-snapshots.ts";

/** @returns the limits found, in milliseconds; 0 for none, undefined where none was ever set */
export const silenceLimitsDuring = async (
  capture: (around: (sink: CaptureSink) => CaptureSink) => Promise<unknown>,
): Promise<readonly (number | undefined)[]> => {
  const set = vi.spyOn(Socket.prototype, "setTimeout");
  const found: (number | undefined)[] = [];
  const around = (sink: CaptureSink): CaptureSink => ({
    ...sink,
    stream: (path, source, ...rest) => {
      const bytes = async function* () {
        for await (const chunk of source.bytes) {
          found.push((set.mock.contexts.at(-1) as Socket | undefined)?.timeout);
          yield chunk;
        }
      };
      return sink.stream(path, { ...source, bytes: bytes() }, ...rest);
    },
  });
  try {
    await capture(around);
  } finally {
    set.mockRestore();
  }
  return [...new Set(found)];
};
