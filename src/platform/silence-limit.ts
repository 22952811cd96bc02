/**
 * Ends a connection from which nothing comes while it is waited for. A reader that is slow itself, such as a vault, keeps a connection silent too: that is
 * no fault of the other side, so no time is taken then.
 */
import type { Socket } from "node:net";

/** Runs what waits for the connection; throws that nothing came when it took too long. */
export type Waiting = <Result>(wait: () => Promise<Result>) => Promise<Result>;

/** Takes over the socket's own timeout. */
export const limitSilence = (socket: Socket, limitMs: number): Waiting => {
  let isOver = false;
  socket.on("timeout", () => {
    isOver = true;
    socket.destroy();
  });
  const silent = (cause?: unknown): Error => new Error(`nothing came for ${limitMs / 1_000} s`, { cause });
  socket.setTimeout(0);
  return async (wait) => {
    socket.setTimeout(limitMs);
    try {
      const result = await wait();
      // Some readers take a connection that was cut for the end.
      if (isOver) throw silent();
      return result;
    } catch (error) {
      throw isOver ? silent(error) : error;
    } finally {
      socket.setTimeout(0);
    }
  };
};

/** What a stream on the connection gives, each piece waited for. */
export async function* readWaiting<Piece>(pieces: AsyncIterable<Piece>, waiting: Waiting): AsyncIterable<Piece> {
  const reader = pieces[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await waiting(() => reader.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await reader.return?.();
  }
}
