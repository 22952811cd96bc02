/** Large objects into the vault: one file each and the list of them, as a directory-format archive has them. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { CaptureSink, VaultProgress } from "../../core/ports/vault-snapshots.ts";
import type { ArchiveToc } from "./archive-toc.ts";
import type { Session } from "../../platform/postgres/session.ts";

const pieceBytes = 512 * 1024;

async function* readBlob(session: Session, oid: number): ByteStream {
  for (let offset = 0; ; offset += pieceBytes) {
    const [row] = await session.query<{ piece: Buffer }>("select lo_get($1, $2, $3) as piece", [
      oid,
      offset,
      pieceBytes,
    ]);
    const piece = row?.piece ?? Buffer.alloc(0);
    if (piece.length > 0) yield piece;
    if (piece.length < pieceBytes) return;
  }
}

/** OIDs of the large objects that the archive has metadata for. */
export const listBlobs = (toc: ArchiveToc): number[] =>
  toc.entries.filter(({ kind }) => kind === "BLOB").map(({ oid }) => oid);

export const captureBlob = async (
  session: Session,
  oid: number,
  destination: {
    readonly sink: CaptureSink;
    readonly root: string;
    readonly signal: AbortSignal;
    readonly progress: VaultProgress;
  },
): Promise<number> => {
  const source = { bytes: readBlob(session, oid), seal: async () => ({}) };
  const path = `${destination.root}/blob_${oid}.dat`;
  return (await destination.sink.stream(path, source, destination.signal, destination.progress)).sizeBytes;
};

/** The content of `blobs.toc`. */
export const formatBlobList = (oids: readonly number[]): Buffer =>
  Buffer.from(oids.map((oid) => `${oid} blob_${oid}.dat\n`).join(""));
