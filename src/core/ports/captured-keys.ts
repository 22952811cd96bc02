/**
 * Keys of a captured key-value store, each with its value. Reads the point alone, as a stream: neither the source nor a server of it is asked, and memory
 * holds no more than one name and a piece of a value, however many there are; of a store that is written as a history a few bytes for each key besides.
 */
import type { CapturedComponent } from "../../model/manifest.ts";
import type { ByteStream } from "./bytes.ts";
import type { TreeReader } from "./vault-snapshots.ts";

export type KeySource = { readonly tree: TreeReader; readonly captured: CapturedComponent };

export type CapturedKey = {
  /** Any bytes. */
  readonly key: Uint8Array;
  /** Which of several sets of keys has it, as it is typed before its name: `db1/`. Empty where the name alone says it. */
  readonly prefix: string;
  /** `string`, `hash`, `value`. */
  readonly type: string;
  /** Of the value, as it lies in the capture. */
  readonly sizeBytes: number;
  /** ISO; null where its time does not end. */
  readonly expiresAt: string | null;
  /** Whose end removes it, where the technology has such: as its own client names it. */
  readonly lease?: string;
};

/** `value`: what the technology's own client shows of it, in bytes or lines of JSON. `dump`: the form that the technology itself takes back. */
export type KeyForm = "value" | "dump";

export type CapturedKeys = {
  /**
   * In the order of the capture, which is none for people.
   * @param typed a name or a pattern, as `core/granular/key-pattern.ts` reads it, with its prefix; null for all
   * @throws RefloatError source.unsupported for what is not known here, after all that came before it; point.damaged, vault.*
   */
  readonly list: (source: KeySource, typed: string | null, signal: AbortSignal) => AsyncIterable<CapturedKey>;
  /**
   * One key's value. The bytes end without an error only if all of it was there.
   * @param typed its name, with its prefix; never a pattern
   * @throws RefloatError point.unknown, usage for a form that its type does not have, point.damaged, vault.*
   */
  readonly take: (
    source: KeySource,
    request: { readonly typed: string; readonly form: KeyForm; readonly signal: AbortSignal },
  ) => ByteStream;
};
