/**
 * What putting keys back does, as a file that is reviewed and run: lines of JSON. One for each key, with what it has to be before and what it is after,
 * and behind it the payload of it, as the server takes it, in pieces of base64. Read and written in pieces, so that no value is held.
 */
import { z } from "zod";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { base64Pieces } from "../base64-pieces.ts";
import { readLines } from "../set-lines.ts";

const stateSchema = z
  .object({
    /** Of the value, whatever it is packed in. */
    digest: z.string(),
    /** Since 1970; null where its time does not end, or keys have none. */
    expiresAtMs: z.int().nullable().default(null),
  })
  .nullable();

/** What a key is; null where it is not there. */
export type KeyState = z.infer<typeof stateSchema>;

const keyLineSchema = z.object({
  /** As browse shows it: for people. */
  name: z.string(),
  /** Of a store that has several. */
  database: z.int().nonnegative().default(0),
  keyBase64: z.base64(),
  before: stateSchema,
  after: stateSchema,
  /** Of the payload; 0 for a key that goes. */
  sizeBytes: z.int().nonnegative(),
});
export type KeyLine = z.infer<typeof keyLineSchema>;
/** What has to be told of one. */
export type KeyLineDraft = z.input<typeof keyLineSchema>;

const pieceSchema = z.object({ piece: z.base64() });

const lineLimits = { lineLength: 1_048_576, allowance: { take: () => undefined } };

const lineOf = (value: object): string => `${JSON.stringify(value)}\n`;

export const firstLine = (words: readonly string[]): string => lineOf({ refloat: "keys", words });

export async function* writeKey(line: KeyLineDraft, payload: ByteStream | null): AsyncGenerator<string> {
  yield lineOf(line);
  if (payload === null) return;
  for await (const piece of base64Pieces(payload)) yield lineOf({ piece });
}

export type ReadKey = KeyLine & {
  /** To be read, or not, before the next key is asked for. Null for a key that goes. */
  readonly payload: ByteStream | null;
};

const noScript = (cause?: unknown): RefloatError =>
  new RefloatError("usage", "the script of the keys is not one that was written here", { cause });

const decode = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw noScript(error);
  }
};

export async function* readKeys(script: ByteStream): AsyncGenerator<ReadKey> {
  const lines = readLines(script, "the script", lineLimits)[Symbol.asyncIterator]();
  try {
    const first = await lines.next();
    if (first.done === true || z.object({ refloat: z.literal("keys") }).safeParse(decode(first.value.text)).error)
      throw noScript();
    for (;;) {
      const next = await lines.next();
      if (next.done === true) return;
      const line = keyLineSchema.safeParse(decode(next.value.text));
      if (!line.success) throw noScript(line.error);
      let left = line.data.sizeBytes;
      const payload = async function* (): ByteStream {
        while (left > 0) {
          const piece = await lines.next();
          if (piece.done === true) throw noScript();
          const bytes = Buffer.from(pieceSchema.parse(decode(piece.value.text)).piece, "base64");
          left -= bytes.length;
          if (bytes.length === 0 || left < 0) throw noScript();
          yield bytes;
        }
      };
      yield { ...line.data, payload: line.data.after === null ? null : payload() };
      // Whoever looked at the line alone.
      for (; left > 0;) {
        const piece = await lines.next();
        if (piece.done === true) throw noScript();
        const bytes = Buffer.from(pieceSchema.parse(decode(piece.value.text)).piece, "base64");
        if (bytes.length === 0) throw noScript();
        left -= bytes.length;
      }
    }
  } finally {
    await lines.return?.();
  }
}
