/** The bytes of large objects; the objects themselves, with owner and grants, are made by pg_restore. */
import type { SnapshotReader } from "../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type Session, inTransaction } from "../../platform/postgres/session.ts";

const pieceBytes = 512 * 1024;

export type BlobFile = { readonly oid: string; readonly file: string };

/** @throws RefloatError vault.damaged when a line is not `OID FILE` */
export const parseBlobList = (name: string, content: Uint8Array): BlobFile[] =>
  Buffer.from(content)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const match = /^(\d+) (blob_\d+\.dat)$/.exec(line);
      if (match === null)
        throw new RefloatError("vault.damaged", `${name} has a line that is no large object: ${line}`);
      return { oid: match[1] ?? "", file: match[2] ?? "" };
    });

/** Writes one batch in one transaction. @throws whatever the source throws; then nothing of the batch is kept */
export const restoreBlobs = async (
  session: Session,
  blobs: readonly BlobFile[],
  source: SnapshotReader,
  root: string,
  onBytes: (bytes: number) => void,
): Promise<void> =>
  inTransaction(session, "", async () => {
    for (const { oid, file } of blobs) {
      let offset = 0;
      for await (const chunk of source.stream(`${root}/${file}`)) {
        for (let at = 0; at < chunk.length; at += pieceBytes) {
          const piece = Buffer.from(chunk.subarray(at, at + pieceBytes));
          await session.query("select lo_put($1, $2, $3)", [oid, offset, piece]);
          offset += piece.length;
          onBytes(piece.length);
        }
      }
    }
  });
