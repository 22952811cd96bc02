/**
 * The small files of a repository that stand alone: config, snapshots, locks, indexes. Sealed JSON; in version 2 all but `config`
 * may be compressed, which a first byte of 2 tells from the `{` or `[` of plain JSON.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { zstdCompressSync, zstdDecompress } from "node:zlib";
import { RefloatError } from "../../../model/refloat-error.ts";
import { releaseMemory } from "../../../platform/release-memory.ts";
import type { Sealer } from "../seal/seal.ts";
import type { Store, StoreKind } from "../stores/store.ts";

export const repositoryVersions = [1, 2] as const;
export type RepositoryVersion = (typeof repositoryVersions)[number];

const compressedMark = 2;
/** Against a bomb by someone who has the key: the largest index that stock restic writes is a tenth of this. */
const maxPlainBytes = 512 * 1024 * 1024;

/** Ids do not compress beyond their hex digits, so an index shrinks to about a quarter. */
const usualRatio = 6;
const leastChunkBytes = 1024;

/** Beside the thread, which meanwhile reads the index before. */
const decompress = promisify(zstdDecompress);

type UnpackedKind = Exclude<StoreKind, "keys" | "data">;

export const damagedFile = (kind: UnpackedKind, name: string, what: string, cause?: unknown): RefloatError =>
  new RefloatError("vault.damaged", `the vault's ${kind} file ${name || "config"} ${what}`, {
    cause,
    context: { kind, file: name },
    hint: "verify the vault to learn what else is hurt",
  });

/** @returns the JSON's bytes @throws RefloatError vault.damaged, StoreFileMissing */
export const readUnpacked = async (store: Store, sealer: Sealer, kind: UnpackedKind, name: string): Promise<Buffer> =>
  openUnpacked(await store.read(kind, name), sealer, kind, name);

/** @param sealed the file; its memory is given back @returns the JSON's bytes @throws RefloatError vault.damaged */
export const openUnpacked = async (
  sealed: Buffer,
  sealer: Sealer,
  kind: UnpackedKind,
  name: string,
): Promise<Buffer> => {
  if (kind !== "config" && createHash("sha256").update(sealed).digest("hex") !== name) {
    throw damagedFile(kind, name, "is not what was written: its name and its content differ");
  }
  const plain = sealer.unseal(sealed);
  if (plain === undefined) throw damagedFile(kind, name, "was not sealed with this vault's key, or was changed");
  releaseMemory(sealed);
  if (kind === "config" || plain[0] !== compressedMark) return plain;
  try {
    const json = await decompress(plain.subarray(1), {
      maxOutputLength: maxPlainBytes,
      // One piece instead of hundreds that are joined: an index is megabytes. Memory that is not touched costs nothing.
      chunkSize: Math.min(Math.max(plain.length * usualRatio, leastChunkBytes), maxPlainBytes),
    });
    releaseMemory(plain);
    return json;
  } catch (error) {
    throw damagedFile(kind, name, "cannot be decompressed", error);
  }
};

/** @returns the name it got */
export const writeUnpacked = async (
  store: Pick<Store, "write">,
  sealer: Sealer,
  version: RepositoryVersion,
  kind: UnpackedKind,
  json: Uint8Array,
): Promise<string> => {
  const plain =
    kind === "config" || version === 1 ? json : Buffer.concat([Buffer.of(compressedMark), zstdCompressSync(json)]);
  const sealed = sealer.seal(plain);
  const name = kind === "config" ? "" : createHash("sha256").update(sealed).digest("hex");
  await store.write(kind, name, sealed);
  return name;
};

/** Parses JSON that was authenticated; what does not parse is damage all the same. */
export const parseUnpacked = <Value>(
  kind: UnpackedKind,
  name: string,
  json: Buffer,
  parse: (value: unknown) => Value,
): Value => {
  try {
    return parse(JSON.parse(json.toString("utf8")));
  } catch (error) {
    throw damagedFile(kind, name, "is not of the format", error);
  }
};
