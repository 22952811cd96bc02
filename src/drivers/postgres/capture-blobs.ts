/** Large objects into the vault: one file each and lists of them, as a directory-format archive has them. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { CaptureSink, VaultProgress } from "../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ArchiveToc, type TocEntry, blobListName } from "./archive-toc.ts";
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

/** Large objects that an archive lists together. */
export type BlobGroup = {
  /** Name of the file that lists them. */
  readonly list: string;
  readonly oids: readonly number[];
};

/** A group's metadata from 1.16 on: one OID a line. */
const groupOids = ({ definition, tag }: TocEntry): number[] =>
  definition
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      if (/^\d+$/.test(line)) return Number(line);
      throw new RefloatError("program.failed", `pg_dump's large objects ${tag} are not understood: ${line}`);
    });

/**
 * The groups of an archive, one for each `BLOBS` entry: all of its large objects before 1.16, those of the metadata that it depends on since then.
 * @throws RefloatError program.failed when there are large objects in no group
 */
export const listBlobGroups = (toc: ArchiveToc): readonly BlobGroup[] => {
  const ofKind = (kind: string): TocEntry[] => toc.entries.filter((entry) => entry.kind === kind);
  const metadata = new Map(ofKind("BLOB METADATA").map((entry) => [entry.dumpId, groupOids(entry)]));
  const single = ofKind("BLOB").map(({ oid }) => oid);
  const groups = ofKind("BLOBS").map((entry) => ({
    list: blobListName(toc, entry),
    oids: toc.minor < 16 ? single : entry.dependencies.flatMap((id) => metadata.get(id) ?? []),
  }));
  const known = single.length + [...metadata.values()].flat().length;
  if (groups.flatMap(({ oids }) => oids).length === known) return groups;
  throw new RefloatError("program.failed", "pg_dump's archive has large objects without data, or data without them");
};

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

/** The content of a file that lists large objects. */
export const formatBlobList = (oids: readonly number[]): Buffer =>
  Buffer.from(oids.map((oid) => `${oid} blob_${oid}.dat\n`).join(""));
