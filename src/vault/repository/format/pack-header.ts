/**
 * The table of contents at the end of a pack: a sealed header and its length. It repeats what the index says, so that a lost
 * index can be made again from the packs.
 */
import { type Sealer, sealBytes } from "../seal/seal.ts";

export const blobTypes = ["data", "tree"] as const;
export type BlobType = (typeof blobTypes)[number];

/** Where one blob lies in its pack. */
export type PackedBlob = {
  readonly id: string;
  readonly type: BlobType;
  readonly offset: number;
  /** Sealed length. */
  readonly length: number;
  /** Length of the plaintext if it was compressed, else 0. */
  readonly plainLength: number;
};

/** type, sealed length, plain length, id. */
const compressedEntryBytes = 1 + 4 + 4 + 32;
const plainEntryBytes = 1 + 4 + 32;

export const headerEntryBytes = (isCompressed: boolean): number =>
  isCompressed ? compressedEntryBytes : plainEntryBytes;

/** Bytes of the sealed header and its length at the end of a pack with these blobs. */
export const packHeaderBytes = (blobs: readonly PackedBlob[]): number =>
  blobs.reduce((sum, { plainLength }) => sum + headerEntryBytes(plainLength > 0), 0) + sealBytes + 4;

const typeCode = (blob: PackedBlob): number => (blob.type === "data" ? 0 : 1) + (blob.plainLength > 0 ? 2 : 0);

/** @param blobs in the order in which they lie in the pack @returns sealed header and its length, to be appended as they are */
export const encodePackHeader = (blobs: readonly PackedBlob[], sealer: Sealer): Buffer => {
  const plain = Buffer.alloc(blobs.length * compressedEntryBytes);
  let at = 0;
  for (const blob of blobs) {
    at = plain.writeUInt8(typeCode(blob), at);
    at = plain.writeUInt32LE(blob.length, at);
    if (blob.plainLength > 0) at = plain.writeUInt32LE(blob.plainLength, at);
    at += plain.write(blob.id, at, "hex");
  }
  const sealed = sealer.seal(plain.subarray(0, at));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(sealed.length);
  return Buffer.concat([sealed, length]);
};

/** @param plain the unsealed header @returns undefined if it is not of the format */
export const decodePackHeader = (plain: Buffer): readonly PackedBlob[] | undefined => {
  const blobs: PackedBlob[] = [];
  let offset = 0;
  for (let at = 0; at < plain.length;) {
    const code = plain[at] ?? 0;
    const compressed = code >= 2;
    const entryBytes = compressed ? compressedEntryBytes : plainEntryBytes;
    if (code > 3 || at + entryBytes > plain.length) return undefined;
    const length = plain.readUInt32LE(at + 1);
    blobs.push({
      id: plain.toString("hex", at + entryBytes - 32, at + entryBytes),
      type: code % 2 === 0 ? "data" : "tree",
      offset,
      length,
      plainLength: compressed ? plain.readUInt32LE(at + 5) : 0,
    });
    offset += length;
    at += entryBytes;
  }
  return blobs;
};
