/** Reads one pack through, in a worker thread: the pack's name, its header, and each blob must be what was written. */
import { createHash } from "node:crypto";
import { RefloatError } from "../../../model/refloat-error.ts";
import { openBlobInto } from "../blobs/blob-reader.ts";
import type { Pause } from "../capture/entry-capture.ts";
import { type PackedBlob, decodePackHeader } from "../format/pack-header.ts";
import { Scratch } from "../blobs/scratch.ts";
import type { Sealer } from "../seal/seal.ts";
import { type Store, StoreFileMissing } from "../stores/store.ts";
import type { PackProblem, VerifiedPack, VerifyPackTask } from "./verify-task.ts";

const lengthBytes = 4;
const stepBytes = 4 * 1024 * 1024;

const keyOf = ({ id, type, offset, length, plainLength }: PackedBlob): string =>
  `${type} ${id} ${offset} ${length} ${plainLength}`;

/** @returns a problem if the header names other blobs than the indexes */
const checkHeader = (file: Buffer, blobs: readonly PackedBlob[], sealer: Sealer): PackProblem | undefined => {
  const problem = (message: string): PackProblem => ({ blob: null, message });
  if (file.length < lengthBytes || file.readUInt32LE(file.length - lengthBytes) !== file.length - lengthBytes) {
    return problem("its header has not the length that it says");
  }
  const plain = sealer.unseal(file.subarray(0, file.length - lengthBytes));
  if (plain === undefined) return problem("the seal of its header is broken");
  const named = decodePackHeader(plain);
  if (named === undefined) return problem("its header is not of the format");
  const known = new Set(blobs.map(keyOf));
  if (named.length !== known.size || !named.every((blob) => known.has(keyOf(blob)))) {
    return problem("its header and the index name different blobs");
  }
  return undefined;
};

/** @returns what verifies packs, one after the other: they are read into the same memory */
export const createPackVerifier = (store: Store, sealer: Sealer) => {
  const memory = new Scratch();
  return async (task: VerifyPackTask, pause: Pause): Promise<VerifiedPack> => {
    const { packId, sizeBytes } = task;
    const blobs = [...task.blobs].sort((a, b) => a.offset - b.offset);
    const problems: PackProblem[] = [];
    const hash = createHash("sha256");
    let at = 0;
    /** What was read of the pack and where it begins: a request for each blob would take an hour where each goes to a bucket. */
    let step: { readonly from: number; readonly bytes: Buffer } = { from: 0, bytes: Buffer.alloc(0) };
    /** The next bytes, valid until the next call. */
    const read = async (length: number): Promise<Buffer> => {
      if (at + length > step.from + step.bytes.length) {
        const wanted = Math.max(length, Math.min(stepBytes, sizeBytes - at));
        step = { from: at, bytes: await store.readRange("data", packId, at, wanted, memory.room(wanted)) };
      }
      const bytes = step.bytes.subarray(at - step.from, at - step.from + length);
      hash.update(bytes);
      at += length;
      await pause(length, 0);
      return bytes;
    };
    try {
      for (const blob of blobs) {
        // What no index names still counts for the name of the pack.
        while (at < blob.offset) await read(Math.min(stepBytes, blob.offset - at));
        if (at > blob.offset) {
          problems.push({ blob, message: `the blob ${blob.id.slice(0, 8)} overlaps the one before` });
          continue;
        }
        const sealed = await read(blob.length);
        try {
          openBlobInto(sealed, blob.id, { packId, ...blob }, sealer);
        } catch (error) {
          if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
          problems.push({ blob, message: error.message });
        }
      }
      const header = checkHeader(await read(Math.max(sizeBytes - at, 0)), blobs, sealer);
      if (header !== undefined) problems.push(header);
      if (hash.digest("hex") !== packId) {
        problems.push({ blob: null, message: "its name is not the SHA-256 of its content" });
      }
    } catch (error) {
      if (!(error instanceof RefloatError) || error.code !== "vault.damaged") throw error;
      const lost = error instanceof StoreFileMissing;
      problems.push({ blob: null, message: lost ? "it went missing" : "it ends too early" });
      for (const blob of blobs.filter(({ offset }) => lost || offset >= at)) {
        problems.push({ blob, message: `the blob ${blob.id.slice(0, 8)} is lost with its pack` });
      }
    }
    await pause(0, 1);
    return { bytesRead: at, problems };
  };
};
