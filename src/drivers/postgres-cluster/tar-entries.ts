/**
 * Reads a tar archive as it comes, one entry after the other, without holding more than a piece of one. Only what a PostgreSQL server sends:
 * files, folders and links, in the old format without extended headers. An archive that is cut short is an error.
 */
import { Header } from "tar";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { ByteFeed } from "../../platform/byte-feed.ts";

export type ArchivedEntry = {
  /** Relative, without a leading `./` and a trailing slash. */
  readonly path: string;
  readonly type: "file" | "folder" | "link";
  readonly sizeBytes: number;
  /** Of a file; what is not read of it is skipped. Ends only when all of it has come. */
  readonly bytes: ByteStream;
};

const blockBytes = 512;

const broken = (what: string): RefloatError =>
  new RefloatError("source.failed", `the server's archive cannot be read: ${what}`, { state: "no point was made" });

const types: Readonly<Partial<Record<Header["type"], ArchivedEntry["type"]>>> = {
  File: "file",
  OldFile: "file",
  Directory: "folder",
  SymbolicLink: "link",
};

const typeOf = (header: Header): ArchivedEntry["type"] => {
  const type = types[header.type];
  if (type === undefined) throw broken(`${header.path ?? "an entry"} is of the kind ${header.type}`);
  return type;
};

const plainName = (path: string): string => path.replace(/^(\.\/+)+/, "").replace(/\/+$/, "");

/** @param source ends with the archive. @throws RefloatError source.failed */
export async function* readTarEntries(source: AsyncIterator<Uint8Array>): AsyncGenerator<ArchivedEntry> {
  const feed = new ByteFeed(source, () => broken("it ends in the middle of an entry"));
  for (;;) {
    const block = await feed.exactly(blockBytes);
    if (block === null) throw broken("it has no end");
    if (block.every((byte) => byte === 0)) break;
    const header = new Header(block);
    const { path, size = 0 } = header;
    if (!header.cksumValid || path === undefined) throw broken("the header of an entry is damaged");
    const type = typeOf(header);
    const sizeBytes = type === "file" ? size : 0;
    let left = sizeBytes;
    async function* content(): AsyncGenerator<Uint8Array> {
      while (left > 0) {
        const piece = await feed.piece(left);
        if (piece === null) throw broken(`it ends in the middle of ${path}`);
        left -= piece.length;
        yield piece;
      }
    }
    yield { path: plainName(path), type, sizeBytes, bytes: content() };
    for await (const skipped of content()) void skipped;
    const padding = (blockBytes - (sizeBytes % blockBytes)) % blockBytes;
    if (padding > 0 && (await feed.exactly(padding)) === null) throw broken("it ends after an entry");
  }
  // The second block of zeros, and what fills the last record.
  while ((await feed.piece(blockBytes)) !== null);
}
