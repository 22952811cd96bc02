/**
 * A recovery key: a password of the vault that is made to be printed, kept on paper and typed by somebody tired. 130 random bits and 20 of a
 * checksum, in Crockford's base 32 (no I, L, O, U), in six groups of five.
 */
import { createHash } from "node:crypto";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const randomLetters = 26;
const checkLetters = 4;

const checkOf = (letters: string): string => {
  const digest = createHash("sha256").update(`refloat recovery key ${letters}`).digest();
  return Array.from({ length: checkLetters }, (_, at) => alphabet[(digest[at] ?? 0) & 31]).join("");
};

const inGroups = (letters: string): string => (letters.match(/.{1,5}/g) ?? []).join("-");

/** @param random 26 bytes @returns the key as it is printed, and as stock restic takes it */
export const writeRecoveryKey = (random: Uint8Array): string => {
  const letters = Array.from(random.subarray(0, randomLetters), (byte) => alphabet[byte & 31]).join("");
  return inGroups(letters + checkOf(letters));
};

/**
 * Reads what somebody typed from paper: any case, blanks and dashes anywhere, O for 0, I and L for 1.
 * @returns the key as it was printed; null for what is no recovery key, or has a slip in it
 */
export const readRecoveryKey = (typed: string): string | null => {
  const letters = typed.toUpperCase().replaceAll(/[\s-]/g, "").replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  if (letters.length !== randomLetters + checkLetters || !/^[0-9A-HJKMNP-TV-Z]*$/.test(letters)) return null;
  const key = letters.slice(0, randomLetters);
  return letters.slice(randomLetters) === checkOf(key) ? inGroups(letters) : null;
};

/** How many random bytes `writeRecoveryKey` wants. */
export const recoveryKeyBytes = randomLetters;
