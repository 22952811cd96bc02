/** Writes content into a new file and leaves holes where a page or more of zeros would stand. */
import { ftruncateSync, writeSync } from "node:fs";

const pageBytes = 4096;
const zeros = Buffer.alloc(pageBytes);

const isZeroPage = (bytes: Buffer, at: number): boolean =>
  bytes[at] === 0 && bytes[at + pageBytes - 1] === 0 && bytes.compare(zeros, 0, pageBytes, at, at + pageBytes) === 0;

const writeAll = (fd: number, bytes: Buffer, from: number, to: number, position: number): void => {
  for (let at = from; at < to;) at += writeSync(fd, bytes, at, to - at, position + at - from);
};

export class SparseWriter {
  readonly #fd: number;
  #position = 0;
  #endsInHole = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get position(): number {
    return this.#position;
  }

  write(bytes: Buffer): void {
    let dataFrom = 0;
    // Pages of the file, not of the blob: a hole has to begin and end where a block does.
    let page = (pageBytes - (this.#position % pageBytes)) % pageBytes;
    for (; page + pageBytes <= bytes.length; page += pageBytes) {
      if (!isZeroPage(bytes, page)) continue;
      if (page > dataFrom) writeAll(this.#fd, bytes, dataFrom, page, this.#position + dataFrom);
      dataFrom = page + pageBytes;
    }
    if (dataFrom < bytes.length) writeAll(this.#fd, bytes, dataFrom, bytes.length, this.#position + dataFrom);
    this.#endsInHole = dataFrom === bytes.length && bytes.length > 0;
    this.#position += bytes.length;
  }

  /** A hole at the end exists only once the file has its length. */
  finish(): void {
    if (this.#endsInHole) ftruncateSync(this.#fd, this.#position);
  }
}
