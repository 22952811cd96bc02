/** Is all of a base backup there, the log that it needs included? */
import { describe, expect, test } from "vitest";
import { type BackupManifest, type StoredFile, compareWithManifest } from "./backup-manifest.ts";

const segmentBytes = 16 * 1024 * 1024;
const manifest: BackupManifest = {
  files: new Map([["PG_VERSION", { sizeBytes: 3, sha256: "aa" }]]),
  wal: [{ timeline: 2, startLsn: "0/FE000028", endLsn: "1/0" }],
};
const segment = { sizeBytes: segmentBytes, sha256: "bb" };
const stored = new Map<string, StoredFile>([
  ["PG_VERSION", { sizeBytes: 3, sha256: "aa" }],
  ["pg_wal/0000000200000000000000FE", segment],
  ["pg_wal/0000000200000000000000FF", segment],
]);
const last = "pg_wal/0000000200000000000000FF";

describe("the log of a base backup", () => {
  test("is whole by every segment of its ranges", () => {
    expect(() => compareWithManifest(manifest, stored, segmentBytes)).not.toThrow();
  });

  test.each([
    ["lacks one", new Map([...stored].filter(([path]) => path !== last))],
    ["has one that is cut short", new Map([...stored, [last, { ...segment, sizeBytes: 8_192 }]])],
    [
      "has one of another timeline",
      new Map([...stored].map(([path, file]) => [path.replace(/^(pg_wal\/0+)2(0+FF)$/, "$11$2"), file])),
    ],
  ])("is damaged when it %s", (_, files) => {
    expect(() => compareWithManifest(manifest, files, segmentBytes)).toThrow(`needs ${last}, which did not come whole`);
  });

  test("is damaged when its manifest names none", () => {
    expect(() => compareWithManifest({ ...manifest, wal: [] }, stored, segmentBytes)).toThrow("names no log");
  });
});
