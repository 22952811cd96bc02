import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import { untilAborted } from "./until-aborted.ts";

const collectGarbage = (): void => {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
};

test("holds on to no piece that was taken, however long the stream goes on", async () => {
  const pieces: WeakRef<Uint8Array>[] = [];
  async function* source(): ByteStream {
    for (let at = 0; at < 50; at += 1) {
      const piece = new Uint8Array(1_000);
      pieces.push(new WeakRef(piece));
      yield piece;
    }
  }
  const stream = untilAborted(source(), new AbortController().signal)[Symbol.asyncIterator]();
  for (let taken = 0; taken < 40; taken += 1) await stream.next();
  // What was taken in this turn of the event loop is held by it.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  expect(pieces.slice(0, 30).filter((piece) => piece.deref() !== undefined)).toEqual([]);
  await stream.return?.();
});

test("throws the reason at once, also while the source is silent or has just given a piece", async () => {
  const reason = new Error("enough");
  const stopping = new AbortController();
  async function* silent(): ByteStream {
    yield new Uint8Array(1);
    await new Promise(() => undefined);
  }
  const stream = untilAborted(silent(), stopping.signal)[Symbol.asyncIterator]();
  expect((await stream.next()).done).toBe(false);
  const waiting = stream.next();
  stopping.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  const taken = new AbortController();
  const other = untilAborted(silent(), taken.signal)[Symbol.asyncIterator]();
  await other.next();
  taken.abort(reason);
  await expect(other.next()).rejects.toBe(reason);
});
