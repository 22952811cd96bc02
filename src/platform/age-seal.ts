/** Seals bytes in the format of age (age-encryption.org/v1), so that the stock program opens them without Refloat. */
import type { Encrypter } from "age-encryption";
import { readRecoveryKey } from "../core/keys/recovery-key.ts";
import type { EscrowKey, EscrowLock } from "../core/ports/escrow.ts";
import { RefloatError } from "../model/refloat-error.ts";

/** Only where a bundle is sealed or opened: its curves are computed when it is loaded. */
const loadAge = async () => import("age-encryption");

/** @throws RefloatError usage for a recipient that is none */
export const sealWithAge = async (plain: Uint8Array, lock: EscrowLock): Promise<Uint8Array> => {
  const age = await loadAge();
  const encrypter = new age.Encrypter();
  if (lock.kind === "password") encrypter.setPassphrase(lock.secret.reveal());
  else for (const recipient of lock.recipients) addRecipient(encrypter, recipient);
  return encrypter.encrypt(plain);
};

const addRecipient = (encrypter: Encrypter, recipient: string): void => {
  try {
    encrypter.addRecipient(recipient);
  } catch (error) {
    throw new RefloatError("usage", `${recipient} is no public key of age`, {
      cause: error,
      state: "nothing was changed",
      hint: "age-keygen prints one: age1...",
    });
  }
};

const noMatch = "no identity matched any of the file's recipients";

/** @throws RefloatError escrow.wrong-key, vault.damaged */
export const openWithAge = async (sealed: Uint8Array, { kind, secret }: EscrowKey): Promise<Uint8Array> => {
  const age = await loadAge();
  const decrypter = new age.Decrypter();
  try {
    if (kind === "identity") decrypter.addIdentity(secret.reveal());
    else for (const spelling of spellings(secret.reveal())) decrypter.addPassphrase(spelling);
  } catch {
    // The library's own words quote the key.
    throw wrongKey("the key is no identity of age");
  }
  try {
    return await decrypter.decrypt(sealed);
  } catch (error) {
    if (error instanceof Error && error.message === noMatch)
      throw wrongKey(kind === "identity" ? "this identity does not open it" : "this password does not open it");
    throw new RefloatError("vault.damaged", "the escrow bundle is not what was sealed", {
      cause: error,
      hint: "open an older one: --bundle names it",
    });
  }
};

/** A recovery key is taken however it is typed, as for the vault. */
const spellings = (password: string): readonly string[] => {
  const recovery = readRecoveryKey(password);
  return recovery === null || recovery === password ? [password] : [recovery, password];
};

const wrongKey = (why: string): RefloatError =>
  new RefloatError("escrow.wrong-key", `the escrow bundle stays closed: ${why}`, {
    state: "nothing was written",
    hint: "a bundle has a key of its own, not the vault's password; an older bundle may have another: --bundle names it",
    nextCommand: "refloat vault escrow list",
  });
