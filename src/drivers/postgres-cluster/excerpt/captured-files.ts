/** The files of a captured cluster, and of which relation of which database each of them is. */
import { join } from "node:path";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { FolderEntry, TreeReader } from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { type Layout, placeInVault } from "../vault-places.ts";

export type RelationFile = {
  /** OID of the database. */
  readonly database: string;
  readonly filenode: number;
  /** False for the free space map, the visibility map and what an unlogged relation begins with. */
  readonly isMain: boolean;
};

/** Of a capture, or of a folder in which no server runs. */
export type CapturedFile = {
  /** OID of the tablespace; null for the data folder. */
  readonly tablespace: string | null;
  /** Below the data folder, or below the tablespace. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly content: () => ByteStream;
  /** Null for all that is no relation of one database, those that all databases share included. */
  readonly relation: RelationFile | null;
};

const inDatabase = /^(?:base|PG_\d+_\d+)\/(?<database>\d+)\/(?<filenode>\d+)(?<fork>_(?:fsm|vm|init))?(?:\.\d+)?$/;

export const relationOf = (path: string): RelationFile | null => {
  const { database, filenode, fork } = inDatabase.exec(path)?.groups ?? {};
  if (database === undefined) return null;
  return { database, filenode: Number(filenode), isMain: fork === undefined };
};

/**
 * The name under which files of one relation are chosen. Not by tablespace: a database that is moved to another keeps the numbers of its files, and a
 * number that two tablespaces have only means that both are taken.
 */
export const relationKey = (database: string, filenode: number | string): string => `${database}/${filenode}`;

/** Of what the server calls the path of a relation's file; null for one that all databases share. */
export const keyOfPath = (path: string): string | null =>
  /^(?:base|pg_tblspc\/\d+\/PG_\d+_\d+)\/(\d+\/\d+)/.exec(path)?.[1] ?? null;

/** @throws RefloatError vault.damaged, path.hostile, point.damaged */
export const listFiles = async (tree: TreeReader, root: string, layout: Layout): Promise<readonly CapturedFile[]> => {
  const files: CapturedFile[] = [];
  const walk = async (folder: FolderEntry, tablespace: string | null, at: string): Promise<void> => {
    for (const entry of await tree.folder(folder.treeId ?? "")) {
      const path = join(at, Buffer.from(entry.name).toString("utf8"));
      if (entry.treeId !== null) await walk(entry, tablespace, path);
      else {
        const { sizeBytes } = entry;
        files.push({ tablespace, path, sizeBytes, content: () => tree.content(entry), relation: relationOf(path) });
      }
    }
  };
  for (const tablespace of [null, ...layout.tablespaces.map(({ oid }) => oid)]) {
    const folder = await tree.entry(placeInVault(root, tablespace));
    if (folder !== undefined) await walk(folder, tablespace, "");
    // A tablespace in which nothing was ever put has no file.
    else if (tablespace === null)
      throw new RefloatError("point.damaged", `the point has no ${placeInVault(root, null)}`);
  }
  return files;
};

/** Of a small file. */
export const readWhole = async (content: ByteStream): Promise<Buffer> => {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
};
