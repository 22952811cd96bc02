/** Hands out exact numbers of bytes of a stream, for whoever reads a format with headers, and in between pieces as large as they come. */
export class ByteFeed {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #cut: () => Error;
  #rest: Uint8Array = new Uint8Array();

  /** @param cut what is thrown where the stream ends within what was asked for */
  constructor(source: AsyncIterator<Uint8Array>, cut: () => Error) {
    this.#source = source;
    this.#cut = cut;
  }

  /** A piece of at most `limit` bytes; null at the end. */
  async piece(limit: number): Promise<Uint8Array | null> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return null;
      this.#rest = next.value;
    }
    const piece = this.#rest.subarray(0, limit);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** Exactly that many; null when the stream ends before the first. */
  async exactly(length: number): Promise<Buffer | null> {
    const first = await this.piece(length);
    if (first === null) return null;
    if (first.length === length) return Buffer.from(first.buffer, first.byteOffset, length);
    const whole = Buffer.alloc(length);
    whole.set(first);
    for (let filled = first.length; filled < length;) {
      const piece = await this.piece(length - filled);
      if (piece === null) throw this.#cut();
      whole.set(piece, filled);
      filled += piece.length;
    }
    return whole;
  }
}
