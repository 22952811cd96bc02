/** Levels for tests: a folder with files of the given names, and what may lie in it. */
import type { PointId } from "../../model/identifiers.ts";
import type { FolderEntry } from "../ports/vault-snapshots.ts";
import { showName } from "../text/shown-name.ts";
import { type BrowserLevel, type BrowserRow, freshLevel } from "./browser-state.ts";

export const testPoint = "7f3a91c2".padEnd(64, "0") as PointId;

export const testEntry = (name: Uint8Array, more: Partial<FolderEntry> = {}): FolderEntry => ({
  name,
  type: "file",
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  user: "ada",
  group: "staff",
  sizeBytes: 1_310_000,
  modifiedNs: 1_763_820_000_000_000_000n,
  linkTarget: null,
  treeId: null,
  contentId: "c0ffee",
  pieces: ["c0ffee"],
  linkId: null,
  device: null,
  ...more,
});

export const folderEntry = (name: string): FolderEntry =>
  testEntry(Buffer.from(name), { type: "dir", mode: 0o755, treeId: `tree of ${name}`, contentId: null, sizeBytes: 0 });

export const rowOf = (entry: FolderEntry): BrowserRow => ({ kind: "entry", name: showName(entry.name), entry });

export const testFolder = (entries: readonly FolderEntry[], path = "invoices"): BrowserLevel =>
  freshLevel({
    kind: "folder",
    place: { point: testPoint, component: "uploads", inside: Buffer.from(path) },
    title: `7f3a91c2:uploads:${path}`,
    about: "point 7f3a91c2 of shop, 14:20:31",
    rows: entries.map(rowOf),
  });

export const files = (...names: readonly string[]): readonly FolderEntry[] =>
  names.map((name) => testEntry(Buffer.from(name)));
