/**
 * Which files of a captured server a server of one table or database needs: all that belongs to the server itself, and what belongs to that. Files of other tables may be
 * missing, as in a partial backup: their redo log is passed over, and whoever asks for them is told that they are not there.
 */
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { ByteStream } from "../../../../core/ports/bytes.ts";
import type { FolderEntry, TreeReader } from "../../../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../../../model/manifest.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { placeInVault } from "../capture.ts";
import type { FileChange } from "../captured-server.ts";
import { mayBeNamed, plainName } from "../file-names.ts";
import type { ExcerptName } from "./excerpt-name.ts";

export type CapturedFile = {
  /** Within the data folder. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly content: () => ByteStream;
  /** Where it lies on this machine and stays as it is; null in a vault. */
  readonly local: string | null;
};

/** @throws RefloatError point.damaged, vault.* */
export const listFiles = async (tree: TreeReader, captured: CapturedComponent): Promise<readonly CapturedFile[]> => {
  const root = placeInVault(captured.path);
  const files: CapturedFile[] = [];
  const walk = async (folder: FolderEntry, at: string): Promise<void> => {
    for (const entry of await tree.folder(folder.treeId ?? "")) {
      const path = join(at, Buffer.from(entry.name).toString("utf8"));
      if (entry.treeId !== null) await walk(entry, path);
      else files.push({ path, sizeBytes: entry.sizeBytes, content: () => tree.content(entry), local: null });
    }
  };
  const folder = await tree.entry(root);
  if (folder === undefined) throw new RefloatError("point.damaged", `the point has no ${root}`);
  await walk(folder, "");
  return files;
};

/** Databases of the server itself, without which it does not start, or does not know its users. */
export const ownDatabases: ReadonlySet<string> = new Set(["mysql", "sys", "performance_schema"]);

/** For all of a database; by the name of a trigger, which table that is of; and hidden tables of full-text indexes, which tell the number of their table alone. */
export const isOfWholeDatabase = (name: string): boolean => name === "db.opt" || /\.TRN$|^fts_/i.test(name);

/** `orders` of `orders.ibd`, `orders#P#p0.ibd`: neither a dot nor that sign is in an encoded name. */
export const tableOf = (name: string): string => /^[^.#]+/.exec(name)?.[0] ?? name;

const noteOfName = /\.ren$/;

const dataOfNote = (path: string): string => path.replace(noteOfName, ".ibd");

/** Older programs tell in `shop/early.ren` that the table of `shop/early.ibd` was called `shop/late` in the end. */
const notedNames = async (files: readonly CapturedFile[]): Promise<readonly FileChange[]> =>
  Promise.all(
    files
      .filter(({ path }) => noteOfName.test(path))
      .map(async ({ path, content }) => ({ path: dataOfNote(path), to: `${(await text(content())).trim()}.ibd` })),
  );

/** What is wanted beside the server itself, by the names of folders and of tables' files. */
export type FileWish = {
  readonly isDatabase: (folder: string) => boolean;
  readonly isTable: (file: string) => boolean;
};

type Wish = ExcerptName & { readonly ignoresCase: boolean };

export const filesNamed = ({ database, table, ignoresCase }: Wish): FileWish => ({
  isDatabase: (folder) => mayBeNamed(folder, database, { ignoresCase }),
  isTable: (file) => table === null || mayBeNamed(file, table, { ignoresCase }),
});

const isOf = (path: string, { isDatabase, isTable }: FileWish): boolean => {
  const [folder = "", name] = path.split("/");
  if (name === undefined || ownDatabases.has(folder)) return true;
  return isDatabase(folder) && (isOfWholeDatabase(name) || isTable(tableOf(name)));
};

/** Paths under which files were copied that are `isOf` by the name that they had in the end. */
const renamedInto = (changes: readonly FileChange[], wish: FileWish): ReadonlySet<string> => {
  const wanted = new Set<string>();
  for (const { path, to } of changes.toReversed())
    if (to !== null && (wanted.has(to) || isOf(to, wish))) wanted.add(path);
  return wanted;
};

/** @param wish null for everything @throws vault.* */
export const chooseFiles = async (
  files: readonly CapturedFile[],
  changes: readonly FileChange[],
  wish: FileWish | null,
): Promise<readonly CapturedFile[]> => {
  if (wish === null) return files;
  const renamed = renamedInto([...changes, ...(await notedNames(files))], wish);
  return files.filter(({ path }) => isOf(path, wish) || renamed.has(dataOfNote(path)));
};

/** Of databases that files lie in, as far as names of files tell. */
export const databasesIn = (files: readonly CapturedFile[]): readonly string[] => [
  ...new Set(
    files.flatMap(({ path }) => {
      const [folder = "", name] = path.split("/");
      return name === undefined ? [] : [plainName(folder)];
    }),
  ),
];

/** Tables of a database, as far as names of files tell; whether there is one of that name, letters that only a server can tell included. */
export const tablesIn = (
  files: readonly CapturedFile[],
  { database, table, ignoresCase }: Wish,
): { readonly isThere: boolean; readonly names: readonly string[]; readonly hasDatabase: boolean } => {
  const own = files
    .map(({ path }) => path.split("/"))
    .filter(([folder = "", name]) => name !== undefined && mayBeNamed(folder, database, { ignoresCase }));
  const tables = own.flatMap(([, name = ""]) =>
    name.endsWith(".frm") && !name.startsWith("#") ? [tableOf(name)] : [],
  );
  return {
    hasDatabase: own.length > 0,
    isThere: table === null || tables.some((encoded) => mayBeNamed(encoded, table, { ignoresCase })),
    names: tables.map(plainName),
  };
};
