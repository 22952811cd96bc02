/**
 * Sealing: AES-256-CTR and Poly1305-AES, as restic's format has it. A sealed unit is IV (16) | ciphertext | tag (16); the tag
 * covers the ciphertext only, under the one-time key r | AES-128_k(IV). One instance per thread.
 */
import {
  type Cipheriv,
  type KeyObject,
  createCipheriv,
  createSecretKey,
  randomFillSync,
  timingSafeEqual,
} from "node:crypto";
import { releaseMemory } from "../../../platform/release-memory.ts";
import { Kernel } from "../wasm/kernel.ts";

export const ivBytes = 16;
const tagBytes = 16;
/** What a seal adds to the plaintext. */
export const sealBytes = ivBytes + tagBytes;

/** AES-256 key (32) | Poly1305-AES k (16) | r (16). */
export const keyBytes = 64;

const poolBytes = 4096;
const pieceBytes = 128 * 1024;

export class Sealer {
  readonly #encryptionKey: KeyObject;
  readonly #tagCipher: Cipheriv;
  readonly #oneTimeKey = Buffer.alloc(32);
  readonly #kernel: Kernel;
  readonly #ivPool = Buffer.alloc(poolBytes);
  #ivAt = poolBytes;

  /** @param key 64 bytes; a copy is taken */
  constructor(key: Uint8Array, kernel: Kernel = new Kernel()) {
    this.#encryptionKey = createSecretKey(key.subarray(0, 32));
    // ECB over one block at a time is the bare block cipher, which is what Poly1305-AES asks for.
    this.#tagCipher = createCipheriv("aes-128-ecb", createSecretKey(key.subarray(32, 48)), null).setAutoPadding(false);
    this.#oneTimeKey.set(key.subarray(48, 64));
    this.#kernel = kernel;
  }

  /** Seals `plain` into `target`, which needs 32 bytes more. @returns the sealed length */
  sealInto(plain: Uint8Array, target: Uint8Array): number {
    const iv = this.#nextIv();
    target.set(iv);
    const ciphertext = target.subarray(ivBytes, ivBytes + plain.length);
    this.#crypt(iv, plain, ciphertext);
    target.set(this.#tag(iv, ciphertext), ivBytes + plain.length);
    return plain.length + sealBytes;
  }

  seal(plain: Uint8Array): Buffer {
    const target = Buffer.allocUnsafe(plain.length + sealBytes);
    this.sealInto(plain, target);
    return target;
  }

  /** @returns the plaintext, or undefined if the unit is not what was sealed with this key */
  unseal(sealed: Uint8Array): Buffer | undefined {
    if (sealed.length < sealBytes) return undefined;
    const plain = Buffer.allocUnsafeSlow(sealed.length - sealBytes);
    return this.unsealInto(sealed, plain) ? plain : undefined;
  }

  /** @param target 32 bytes shorter @returns false, with nothing written, if the unit is not what was sealed with this key */
  unsealInto(sealed: Uint8Array, target: Uint8Array): boolean {
    if (sealed.length < sealBytes) return false;
    const iv = sealed.subarray(0, ivBytes);
    const ciphertext = sealed.subarray(ivBytes, sealed.length - tagBytes);
    if (!timingSafeEqual(this.#tag(iv, ciphertext), sealed.subarray(sealed.length - tagBytes))) return false;
    this.#crypt(iv, ciphertext, target);
    return true;
  }

  /** Counter mode is its own inverse. Piece by piece, since the cipher answers in new memory, which is cheap while it is little. */
  #crypt(iv: Uint8Array, from: Uint8Array, into: Uint8Array): void {
    const cipher = createCipheriv("aes-256-ctr", this.#encryptionKey, iv);
    for (let at = 0; at < from.length; at += pieceBytes) {
      const piece = cipher.update(from.subarray(at, at + pieceBytes));
      into.set(piece, at);
      releaseMemory(piece);
    }
  }

  #tag(iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    this.#tagCipher.update(iv).copy(this.#oneTimeKey, 16);
    return this.#kernel.poly1305(this.#oneTimeKey, ciphertext);
  }

  /** An IV is used once: handed out from fresh random bytes, and never all zero, which restic takes for a missing one. */
  #nextIv(): Uint8Array {
    for (;;) {
      if (this.#ivAt === poolBytes) {
        randomFillSync(this.#ivPool);
        this.#ivAt = 0;
      }
      const iv = this.#ivPool.subarray(this.#ivAt, this.#ivAt + ivBytes);
      this.#ivAt += ivBytes;
      if (iv.some((byte) => byte !== 0)) return iv;
    }
  }
}
