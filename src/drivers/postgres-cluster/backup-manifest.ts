/**
 * The list that a server sends with a base backup: every file of it, how long it is, its SHA-256, and the log that is needed to make it
 * consistent. Source of the format: PostgreSQL's documentation, "Backup Manifest Format".
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { bytesBefore } from "../../core/logs/log-position.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { segmentAfter, segmentName } from "./log-feed.ts";

const manifestSchema = z.object({
  "PostgreSQL-Backup-Manifest-Version": z.number(),
  Files: z.array(
    z.object({
      Path: z.string().optional(),
      "Encoded-Path": z.string().optional(),
      Size: z.number(),
      "Checksum-Algorithm": z.string().optional(),
      Checksum: z.string().optional(),
    }),
  ),
  "WAL-Ranges": z.array(z.object({ Timeline: z.number(), "Start-LSN": z.string(), "End-LSN": z.string() })),
  "Manifest-Checksum": z.string(),
});

export type BackupManifest = {
  /** By path within the backup; those of a tablespace below `pg_tblspc/OID/`. */
  readonly files: ReadonlyMap<string, { readonly sizeBytes: number; readonly sha256: string }>;
  readonly wal: readonly { readonly timeline: number; readonly startLsn: string; readonly endLsn: string }[];
};

const damaged = (what: string): RefloatError =>
  new RefloatError("source.failed", `the manifest of the base backup ${what}`, { state: "no point was made" });

/** The server's own checksum is over everything before the last line. */
const checksumOf = (content: Buffer): string =>
  createHash("sha256")
    .update(content.subarray(0, content.lastIndexOf('"Manifest-Checksum"')))
    .digest("hex");

/** @throws RefloatError source.failed for one that is cut short or changed, source.unsupported for names that are no UTF-8 */
export const readBackupManifest = (content: Buffer): BackupManifest => {
  let parsed: z.infer<typeof manifestSchema>;
  try {
    parsed = manifestSchema.parse(JSON.parse(content.toString("utf8")));
  } catch (error) {
    throw new RefloatError("source.failed", "the manifest of the base backup cannot be read", { cause: error });
  }
  if (parsed["Manifest-Checksum"] !== checksumOf(content)) throw damaged("is not what the server has written");
  const files = parsed.Files.map(({ Path: path, Size: sizeBytes, Checksum: sha256 = "", ...rest }) => {
    if (path === undefined)
      throw new RefloatError("source.unsupported", "the data folder holds a file whose name is no UTF-8", {
        hint: `its name in hexadecimal is ${rest["Encoded-Path"] ?? "unknown"}: move it out of the data folder`,
      });
    if (rest["Checksum-Algorithm"] !== "SHA256") throw damaged(`has no SHA-256 of ${path}`);
    return [path, { sizeBytes, sha256 }] as const;
  });
  return {
    files: new Map(files),
    wal: parsed["WAL-Ranges"].map((range) => ({
      timeline: range.Timeline,
      startLsn: range["Start-LSN"],
      endLsn: range["End-LSN"],
    })),
  };
};

export type StoredFile = { readonly sizeBytes: number; readonly sha256: string };

const isLog = (path: string): boolean => path.startsWith("pg_wal/");

/** Every file of the log that a backup needs, by the segments that its ranges lie in. */
export const neededLog = ({ wal }: Pick<BackupManifest, "wal">, segmentBytes: number): readonly string[] =>
  wal.flatMap(({ timeline, startLsn, endLsn }) => {
    const first = bytesBefore(startLsn) / BigInt(segmentBytes);
    const count = Number(segmentAfter(endLsn, segmentBytes) - first);
    return Array.from(
      { length: count },
      (_, at) => `pg_wal/${segmentName(timeline, first + BigInt(at), segmentBytes)}`,
    );
  });

/**
 * Is what was stored what the server has read? The content of the log is not in the manifest: it checks its own records.
 * @throws RefloatError source.failed naming the first file that is not
 */
export const compareWithManifest = (
  manifest: BackupManifest,
  stored: ReadonlyMap<string, StoredFile>,
  segmentBytes: number,
): void => {
  for (const [path, { sizeBytes, sha256 }] of manifest.files) {
    const found = stored.get(path);
    if (found === undefined) throw damaged(`names ${path}, which did not come`);
    if (found.sizeBytes !== sizeBytes || found.sha256 !== sha256)
      throw damaged(`has another ${path} than the one that came`);
  }
  for (const path of stored.keys())
    if (!manifest.files.has(path) && !isLog(path)) throw damaged(`does not name ${path}, which came`);
  const log = neededLog(manifest, segmentBytes);
  if (log.length === 0) throw damaged("names no log that makes it consistent");
  for (const path of log)
    if (stored.get(path)?.sizeBytes !== segmentBytes) throw damaged(`needs ${path}, which did not come whole`);
};
