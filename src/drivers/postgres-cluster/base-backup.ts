/**
 * One base backup as the server sends it: archives (the data folder, each tablespace), then the manifest, then where it ends. Needs server
 * 15: older ones send one stream for each tablespace.
 */
import type { ReplicationSession } from "../../platform/postgres/replication-session.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { CopyFrame } from "../../platform/postgres/copy-out-frames.ts";

export type BackupArchive = {
  /** OID of the tablespace; null for the data folder itself. */
  readonly tablespace: string | null;
  /** A tar archive; has to be read to its end. */
  readonly content: AsyncIterator<Uint8Array>;
};

export type BackupPosition = { readonly lsn: string; readonly timeline: number };

export type BackupTablespace = { readonly oid: string; readonly location: string };

export type BaseBackup = {
  readonly archives: AsyncGenerator<BackupArchive>;
  /** The rest is known when the archives have ended. */
  readonly end: () => BackupEnd;
};

export type BackupEnd = {
  readonly start: BackupPosition;
  readonly end: BackupPosition;
  readonly tablespaces: readonly BackupTablespace[];
  readonly manifest: Buffer;
};

const kinds = { archive: "n", data: "d", manifest: "m", progress: "p" } as const;

const torn = (what: string): RefloatError =>
  new RefloatError("source.failed", `the base backup ended early: ${what}`, { state: "no point was made" });

const positionOf = (row: readonly (string | null)[] | undefined, what: string): BackupPosition => {
  const [lsn, timeline] = row ?? [];
  if (lsn === undefined || lsn === null) throw torn(`the server did not say where it ${what}`);
  return { lsn, timeline: Number(timeline) };
};

const textFrom = (bytes: Buffer): string => bytes.subarray(0, bytes.indexOf(0)).toString("utf8");

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * In the words of the protocol; `validate --live` shows it. The log comes with the backup, so nobody has to wait for an archive, which may be
 * the very thing that is broken.
 */
export const baseBackupCommand = (label: string, isFast: boolean): string =>
  `BASE_BACKUP (LABEL ${quote(label)}, CHECKPOINT ${isFast ? "'fast'" : "'spread'"}, WAL true, WAIT false, TABLESPACE_MAP true, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256', PROGRESS true)`;

/** The log of the time that the backup takes is kept by a slot that ends with our connection. */
export const slotCommand = (name: string): string =>
  `CREATE_REPLICATION_SLOT ${name} TEMPORARY PHYSICAL (RESERVE_WAL true)`;

/** Its archives have to be read in order, each to its end. @throws RefloatError source.failed when it was torn */
export const readBaseBackup = (session: ReplicationSession, command: string): BaseBackup => {
  const { frames, results } = session.copyOut(command, kinds.data);
  let manifest: Buffer[] | null = null;
  let waiting: CopyFrame | null = null;
  let isEnded = false;

  const next = async (): Promise<CopyFrame | null> => {
    const frame = waiting;
    waiting = null;
    if (frame !== null) return frame;
    const { value, done } = await frames.next();
    return done === true ? null : value;
  };
  async function* content(): AsyncGenerator<Uint8Array> {
    for (let frame = await next(); frame !== null; frame = await next()) {
      if (frame.kind === kinds.data) yield frame.bytes;
      else if (frame.kind !== kinds.progress) {
        waiting = frame;
        return;
      }
    }
  }
  async function* archives(): AsyncGenerator<BackupArchive> {
    for (let frame = await next(); frame !== null; frame = await next()) {
      if (frame.kind === kinds.archive) {
        const name = textFrom(frame.bytes);
        const tablespace = /^(\d+)\.tar$/.exec(name)?.[1] ?? null;
        if (tablespace === null && name !== "base.tar")
          throw new RefloatError("source.unsupported", `the server sends an archive ${name}, which is not known`);
        yield { tablespace, content: content() };
      } else if (frame.kind === kinds.manifest) {
        const pieces: Buffer[] = [];
        for await (const piece of content()) pieces.push(Buffer.from(piece));
        manifest = pieces;
      } else if (frame.kind === kinds.data) {
        throw new RefloatError("bug", "a part of the base backup was not read");
      }
    }
    isEnded = true;
  }
  return {
    archives: archives(),
    end: () => {
      // Without the last result the server has not said that all of it was there.
      const [start, tablespaces = [], end] = results();
      if (!isEnded || manifest === null) throw torn("its manifest did not come");
      return {
        start: positionOf(start?.[0], "begins"),
        end: positionOf(end?.[0], "ends"),
        tablespaces: tablespaces.flatMap(([oid, location]) =>
          oid === null || oid === undefined || location === null || location === undefined ? [] : [{ oid, location }],
        ),
        manifest: Buffer.concat(manifest),
      };
    },
  };
};
