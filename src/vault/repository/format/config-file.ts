/** The repository's config: version, id, and the polynomial that its chunks are cut by. */
import { hash, randomBytes } from "node:crypto";
import { z } from "zod";
import { RefloatError } from "../../../model/refloat-error.ts";
import { isIrreducible, polynomialDegree, randomPolynomial } from "../chunking/polynomial.ts";
import type { Sealer } from "../seal/seal.ts";
import { StoreFileMissing, type Store, configName } from "../stores/store.ts";
import {
  type RepositoryVersion,
  openUnpacked,
  parseUnpacked,
  repositoryVersions,
  writeUnpacked,
} from "./unpacked-file.ts";

const configSchema = z.object({
  version: z.int().positive(),
  id: z.string().regex(/^[0-9a-f]{64}$/),
  chunker_polynomial: z.string().regex(/^[0-9a-f]{1,16}$/),
});

export type RepositoryConfig = {
  readonly version: RepositoryVersion;
  readonly id: string;
  readonly polynomial: bigint;
};

/** @property sha256 of the file, hex: what a server has to hold in its place */
export type StoredConfig = RepositoryConfig & { readonly sha256: string };

export const drawConfig = (): RepositoryConfig => ({
  version: 2,
  id: randomBytes(32).toString("hex"),
  polynomial: randomPolynomial(),
});

export const writeConfig = async (store: Store, sealer: Sealer, config: RepositoryConfig): Promise<void> => {
  const { version, id, polynomial } = config;
  const json = Buffer.from(JSON.stringify({ version, id, chunker_polynomial: polynomial.toString(16) }));
  await writeUnpacked(store, sealer, version, "config", json);
};

/** @throws RefloatError vault.not-found, vault.damaged, vault.unsupported */
export const readConfig = async (store: Store, sealer: Sealer): Promise<StoredConfig> => {
  const sealed = await store.read("config", configName);
  const sha256 = hash("sha256", sealed, "hex");
  const json = await openUnpacked(sealed, sealer, "config", configName);
  const raw = parseUnpacked("config", configName, json, (value) => configSchema.parse(value));
  const version = repositoryVersions.find((known) => known === raw.version);
  if (version === undefined) {
    throw new RefloatError(
      "vault.unsupported",
      `the vault is of repository version ${raw.version}; known are 1 and 2`,
      {
        context: { version: raw.version },
      },
    );
  }
  const polynomial = BigInt(`0x${raw.chunker_polynomial}`);
  if (polynomial.toString(2).length !== polynomialDegree + 1 || !isIrreducible(polynomial)) {
    throw new RefloatError("vault.damaged", "the vault's config holds a polynomial that cannot be one of restic's");
  }
  return { version, id: raw.id, polynomial, sha256 };
};

/**
 * @param asOf the instant that the store was opened as of
 * @throws RefloatError vault.not-found, in words that tell an empty place and a wrong address from a vault that was deleted in a bucket
 */
export const requireConfig = async (store: Store, asOf: Date | undefined): Promise<void> => {
  try {
    await store.stat("config", configName);
  } catch (error) {
    if (!(error instanceof StoreFileMissing)) throw error;
    throw await notFound(store, asOf, error);
  }
};

/** Whoever finds nothing must never be led to make a vault where an old one only needs to be looked for. */
const notFound = async (store: Store, asOf: Date | undefined, cause: StoreFileMissing): Promise<RefloatError> => {
  const { location, retention } = store;
  // Undefined where it may not be asked.
  const lastSeen = await retention?.lastSeen?.("config", configName).catch(() => undefined);
  if (lastSeen instanceof Date && lastSeen.getTime() !== asOf?.getTime()) {
    return new RefloatError(
      "vault.not-found",
      `the vault at ${location} was deleted, and is still there as it was before`,
      {
        cause,
        context: { lastSeenAt: lastSeen.toISOString() },
        state: "a bucket with versions only hides what is deleted: nothing is lost before somebody purges it",
        hint: "do not make a new vault there; every command that reads takes --vault-as-of, with an earlier time if that is not early enough",
        nextCommand: `refloat --vault-as-of ${lastSeen.toISOString()} points`,
      },
    );
  }
  if (asOf !== undefined) {
    return new RefloatError("vault.not-found", `there was no vault at ${location} as of ${asOf.toISOString()}`, {
      cause,
      hint: "it was made later, or deleted before: give another time, or leave out --vault-as-of",
    });
  }
  const isBucket = retention?.lastSeen !== undefined;
  return new RefloatError("vault.not-found", `there is no vault at ${location}`, {
    cause,
    hint:
      isBucket && lastSeen === undefined
        ? "check the address; if there was one it may be hidden only: --vault-as-of TIME reads it as it was, and these credentials may not look for it (s3:ListBucketVersions)"
        : "check the address; only where there never was one, make it",
    ...(isBucket && lastSeen === undefined ? {} : { nextCommand: "refloat vault init" }),
  });
};
