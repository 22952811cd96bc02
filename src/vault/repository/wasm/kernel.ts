/**
 * The WASM kernel as an object: Poly1305 and the search for chunk boundaries. One instance per thread; it keeps no more than its
 * staging area (128 KiB), through which longer input passes piece by piece.
 */
import { kernelBase64 } from "./kernel-module.ts";

/** What is used of a global that Node has and its type definitions lack. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

type KernelExports = {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly stagingOffset: () => number;
  readonly stagingBytes: () => number;
  readonly beginAuthenticator: () => void;
  readonly authenticate: (length: number) => void;
  readonly endAuthenticator: () => void;
  readonly authenticator: () => number;
  readonly setPolynomial: (polynomial: bigint) => void;
  readonly findBoundary: (length: number) => number;
};

/** Bytes of the sliding window whose fingerprint decides a boundary. */
export const windowBytes = 64;

const compileOnce = (() => {
  let module: object | undefined;
  return () => (module ??= new WebAssembly.Module(Buffer.from(kernelBase64, "base64")));
})();

export class Kernel {
  readonly #exports: KernelExports;
  readonly #staging: Uint8Array;
  readonly #tag: Uint8Array;
  #polynomial: bigint | undefined;

  constructor() {
    this.#exports = new WebAssembly.Instance(compileOnce()).exports as KernelExports;
    const { memory } = this.#exports;
    this.#staging = new Uint8Array(memory.buffer, this.#exports.stagingOffset(), this.#exports.stagingBytes());
    this.#tag = new Uint8Array(memory.buffer, this.#exports.authenticator(), 16);
  }

  /** @param oneTimeKey 32 bytes: r and s @returns the tag's 16 bytes, valid until the next call */
  poly1305(oneTimeKey: Uint8Array, message: Uint8Array): Uint8Array {
    const staging = this.#staging;
    staging.set(oneTimeKey);
    this.#exports.beginAuthenticator();
    for (let at = 0; at < message.length; at += staging.length) {
      const piece = message.subarray(at, at + staging.length);
      staging.set(piece);
      this.#exports.authenticate(piece.length);
    }
    this.#exports.endAuthenticator();
    return this.#tag;
  }

  /** @param polynomial irreducible, of degree 53 */
  setPolynomial(polynomial: bigint): void {
    if (this.#polynomial === polynomial) return;
    this.#exports.setPolynomial(polynomial);
    this.#polynomial = polynomial;
  }

  /**
   * @returns the smallest end (64 to `bytes.length`) of a window whose fingerprint has its low 20 bits zero, or -1
   */
  findBoundary(bytes: Uint8Array): number {
    const staging = this.#staging;
    const step = staging.length - windowBytes + 1;
    for (let at = 0; at + windowBytes <= bytes.length; at += step) {
      const piece = bytes.subarray(at, at + staging.length);
      staging.set(piece);
      const end = this.#exports.findBoundary(piece.length);
      if (end !== -1) return at + end;
    }
    return -1;
  }
}
