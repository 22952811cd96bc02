/** What a value is, whatever the server has packed it in: two values are alike if their digests are. A value is never held as a whole. */
import { createHash } from "node:crypto";
import { shownValueBytes, valueWords } from "../../../core/mend/mend-keys.ts";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import { formatAmount } from "../../../core/text/quantity.ts";
import { type ValueElement, elementsOf, hasElements, kindOfType } from "../rdb-elements.ts";

export type DigestedValue = {
  /** Hex. */
  readonly digest: string;
  /** For people: the begin of a string, or how many elements there are. */
  readonly words: string;
};

const elementHash = (element: ValueElement): Buffer => {
  const hash = createHash("sha256");
  for (const part of element) hash.update(`${part.length} `).update(part);
  return hash.digest();
};

/** Redis keeps sets, hashes and sorted sets in no order that means anything: theirs is a sum that order does not change. */
const addTo = (sum: Buffer, hash: Buffer): void => {
  let carry = 0;
  for (let at = sum.length - 1; at >= 0; at -= 1) {
    const value = (sum[at] ?? 0) + (hash[at] ?? 0) + carry;
    sum[at] = value & 0xff;
    carry = value >> 8;
  }
};

const digestBytes = async (label: string, pieces: ByteStream): Promise<DigestedValue> => {
  const hash = createHash("sha256").update(label);
  let sizeBytes = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    sizeBytes += piece.length;
  }
  return { digest: hash.digest("hex"), words: formatAmount(sizeBytes, "bytes") };
};

const digestString = async (type: number, pieces: ByteStream): Promise<DigestedValue> => {
  const hash = createHash("sha256").update("string ");
  let begin: Buffer = Buffer.alloc(0);
  let sizeBytes = 0;
  for await (const [piece = new Uint8Array()] of elementsOf(type, pieces)) {
    hash.update(piece);
    if (begin.length < shownValueBytes)
      begin = Buffer.concat([begin, piece.subarray(0, shownValueBytes - begin.length)]);
    sizeBytes += piece.length;
  }
  return { digest: hash.digest("hex"), words: valueWords(begin, sizeBytes) };
};

/** @param pieces all of them are read */
export const digestValue = async (type: number, pieces: ByteStream): Promise<DigestedValue> => {
  const kind = kindOfType(type);
  if (!hasElements(type)) {
    const { digest, words } = await digestBytes(`type ${type} `, pieces);
    return { digest, words: `${kind}, ${words}` };
  }
  if (kind === "string") return digestString(type, pieces);
  const inOrder = createHash("sha256");
  const sum = Buffer.alloc(32);
  let count = 0;
  for await (const element of elementsOf(type, pieces)) {
    if (kind === "list") inOrder.update(elementHash(element));
    else addTo(sum, elementHash(element));
    count += 1;
  }
  const content = kind === "list" ? inOrder.digest() : sum;
  return {
    digest: createHash("sha256").update(`${kind} ${count} `).update(content).digest("hex"),
    words: `${kind} of ${count}`,
  };
};
