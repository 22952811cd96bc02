/**
 * Key files: a password seals the repository's master key. A repository may have many; each opens all of it. A new password
 * does not re-encrypt: who once had the master key has it still.
 */
import { createHash, randomBytes, scrypt } from "node:crypto";
import { z } from "zod";
import { readRecoveryKey } from "../../../core/keys/recovery-key.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { type Store, ifMissing } from "../stores/store.ts";
import { Sealer, keyBytes } from "./seal.ts";

const base64Schema = z.base64();

const keyFileSchema = z.object({
  hostname: z.string().optional(),
  username: z.string().optional(),
  kdf: z.literal("scrypt"),
  N: z.int().positive(),
  r: z.int().positive(),
  p: z.int().positive(),
  created: z.string(),
  data: base64Schema,
  salt: base64Schema,
});
type KeyFile = z.infer<typeof keyFileSchema>;

const masterKeySchema = z.object({
  mac: z.object({ k: base64Schema, r: base64Schema }),
  encrypt: base64Schema,
});

/** restic's cost: about 70 ms and 32 MiB on a machine of 2024. */
const cost = { N: 32_768, r: 8, p: 1 } as const;
/** A key file is read before anything is authenticated: a forged one must take neither all memory nor all day. */
const maxMemoryBytes = 1024 * 1024 * 1024;
/** A hundred times what restic asks for. */
const maxWork = 100 * cost.N * cost.r * cost.p;

const derive = async (
  password: string,
  salt: Uint8Array,
  parameters: Pick<KeyFile, "N" | "r" | "p">,
): Promise<Buffer> => {
  const { N, r, p } = parameters;
  const needed = 128 * r * (N + p) + 1024 * 1024;
  if (needed > maxMemoryBytes || N * r * p > maxWork) {
    throw new RefloatError("vault.unsupported", "a key of the vault asks for more memory or time than is reasonable", {
      context: { N, r, p },
    });
  }
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  scrypt(password, salt, keyBytes, { N, r, p, maxmem: needed }, (error, key) =>
    error === null ? resolve(key) : reject(error),
  );
  return promise;
};

export type KeyOwner = { readonly hostname: string; readonly username: string };

/** @returns the name of the new key file */
export const addKey = async (
  store: Store,
  masterKey: Uint8Array,
  password: string,
  owner: KeyOwner,
  created: Date,
): Promise<string> => {
  const salt = randomBytes(64);
  const sealer = new Sealer(await derive(password, salt, cost));
  const encoded = (from: number, to: number): string => Buffer.from(masterKey.subarray(from, to)).toString("base64");
  const plain = { mac: { k: encoded(32, 48), r: encoded(48, 64) }, encrypt: encoded(0, 32) };
  const file: KeyFile = {
    hostname: owner.hostname,
    username: owner.username,
    kdf: "scrypt",
    ...cost,
    created: created.toISOString(),
    data: sealer.seal(Buffer.from(JSON.stringify(plain))).toString("base64"),
    salt: salt.toString("base64"),
  };
  const content = Buffer.from(JSON.stringify(file));
  const name = createHash("sha256").update(content).digest("hex");
  await store.write("keys", name, content);
  return name;
};

/** @returns the master key if the password opens this key file, else undefined */
const tryKey = async (content: Uint8Array, password: string): Promise<Buffer | undefined> => {
  const file = keyFileSchema.parse(JSON.parse(Buffer.from(content).toString("utf8")));
  const sealer = new Sealer(await derive(password, Buffer.from(file.salt, "base64"), file));
  const plain = sealer.unseal(Buffer.from(file.data, "base64"));
  if (plain === undefined) return undefined;
  const key = masterKeySchema.parse(JSON.parse(plain.toString("utf8")));
  const parts = [key.encrypt, key.mac.k, key.mac.r].map((part) => Buffer.from(part, "base64"));
  const masterKey = Buffer.concat(parts);
  return masterKey.length === keyBytes ? masterKey : undefined;
};

/** @returns null for what is no key file */
export const readKeyFile = (content: Uint8Array): KeyFile | null => {
  try {
    return keyFileSchema.parse(JSON.parse(Buffer.from(content).toString("utf8")));
  } catch {
    return null;
  }
};

/** A recovery key is taken however it is typed; what looks like one may still be somebody's password. */
const spellings = (password: string): readonly string[] => {
  const recovery = readRecoveryKey(password);
  return recovery === null || recovery === password ? [password] : [password, recovery];
};

export type OpenedKey = { readonly name: string; readonly masterKey: Buffer };

/**
 * Tries each key file, or the one that is named.
 * @throws RefloatError vault.wrong-password; vault.damaged if no key file opens and some cannot be read or ask for too much
 */
export const openKey = async (store: Store, password: string, only?: string): Promise<OpenedKey> => {
  const damaged: string[] = [];
  let tried = 0;
  for await (const { name } of store.list("keys")) {
    if (only !== undefined && name !== only) continue;
    const content = await store.read("keys", name).catch(ifMissing);
    // Removed since it was listed.
    if (content === null) continue;
    tried += 1;
    if (createHash("sha256").update(content).digest("hex") !== name) {
      damaged.push(name);
      continue;
    }
    try {
      for (const spelling of spellings(password)) {
        const masterKey = await tryKey(content, spelling);
        if (masterKey !== undefined) return { name, masterKey };
      }
    } catch {
      // Whoever may write to the vault can put a key there: it must not keep the good ones from being tried.
      damaged.push(name);
    }
  }
  if (tried === 0 || damaged.length > 0) {
    throw new RefloatError(
      "vault.damaged",
      tried === 0
        ? `the vault at ${store.location} has no key`
        : `no key of the vault at ${store.location} opens, and ${damaged.length} of ${tried} are damaged`,
      {
        context: { damaged },
        hint: "put its keys folder back from a copy, or open a bucket with versions as it was before (--vault-as-of): without a key nothing can be read",
      },
    );
  }
  throw new RefloatError("vault.wrong-password", `the password opens no key of the vault at ${store.location}`, {
    context: { keys: tried },
    state: "nothing was read or changed",
    hint: "any of the vault's passwords or its recovery key opens it",
  });
};

/** @throws as openKey */
export const openMasterKey = async (store: Store, password: string): Promise<Buffer> =>
  (await openKey(store, password)).masterKey;
