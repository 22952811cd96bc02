/** extract: one thing out of a recovery point, to where nothing is yet. Never touches what is live. */
import type { ByteStream } from "../core/ports/bytes.ts";
import type { RowFormat } from "../core/ports/driver.ts";
import type { VaultProgress } from "../core/ports/vault-snapshots.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { type ArchiveTally, archiveEntries } from "../core/granular/archive-entries.ts";
import { type ExactPlace, type OpenEntry, type OpenPlace, openPlace } from "../core/granular/open-place.ts";
import { formatPlace } from "../core/granular/parse-place.ts";
import { showName } from "../core/text/shown-name.ts";
import { shortId } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type Extracted = {
  readonly point: RecoveryPoint;
  readonly component: string;
  readonly what: "table" | "file" | "folder" | "link" | "special";
  readonly files: number;
  readonly directories: number;
  readonly sizeBytes: number;
  readonly warnings: readonly string[];
};

export type ExtractRequest = {
  readonly place: string | ExactPlace;
  readonly rows: RowFormat;
  /** Somebody asked for the form of rows: what is no table is refused. */
  readonly tablesOnly?: boolean;
  readonly signal: AbortSignal;
  readonly progress: VaultProgress;
};

type Bench = Pick<Workbench, "vault" | "registry" | "places">;
type Inside = Exclude<OpenPlace, { readonly kind: "point" }>;

const open = async (bench: Bench, { place, tablesOnly = false }: ExtractRequest): Promise<Inside> => {
  const opened = await openPlace(bench, place);
  if (opened.kind !== "point") {
    if (tablesOnly && opened.kind !== "table")
      throw new RefloatError(
        "usage",
        `${opened.captured.name} is no table here, and only the rows of a table become CSV`,
      );
    return opened;
  }
  const { id, manifest } = opened.point;
  throw new RefloatError("usage", `${shortId(id)} is a whole point; extract takes a component or something in it`, {
    hint: `it holds ${Object.keys(manifest.components).join(", ")}; to bring back the service: refloat recover ${manifest.service} --at ${shortId(id)}`,
    nextCommand: `refloat browse ${shortId(id)}`,
  });
};

async function* counted(
  bytes: ByteStream,
  { signal, progress }: ExtractRequest,
  sum: (bytes: number) => void,
): ByteStream {
  for await (const part of bytes) {
    signal.throwIfAborted();
    sum(part.length);
    progress({ bytes: part.length, items: 0 });
    yield part;
  }
}

const kindOf = ({ entry }: OpenEntry): Extracted["what"] =>
  entry.type === "file" ? "file" : entry.type === "dir" ? "folder" : entry.type === "symlink" ? "link" : "special";

const placeOf = ({ point, captured }: Inside, path: string): string =>
  formatPlace({ point: shortId(point.id), component: captured.name, path: path === "" ? null : path });

/** The bytes of a file, or the rows of a table. */
const bytesOf = (bench: Bench, opened: Inside, { rows, signal }: ExtractRequest): ByteStream => {
  const { captured, tree } = opened;
  if (opened.kind === "table") {
    const contents = bench.registry.components.get(captured.driver)?.contents;
    if (contents === undefined) throw new RefloatError("bug", `${captured.driver} shows tables and has no rows`);
    return contents.rows(tree, captured, { table: opened.table, format: rows, signal });
  }
  if (opened.entry.type === "file") return tree.content(opened.entry);
  const shown = showName(opened.path);
  const { linkTarget } = opened.entry;
  throw new RefloatError(
    "usage",
    `${shown === "" ? captured.name : shown} is ${linkTarget === null ? "no file" : `a link to ${showName(linkTarget)}`}; only a file or a table can go to standard output by itself`,
    { nextCommand: `refloat extract ${placeOf(opened, shown)} --archive -` },
  );
};

const none = { files: 0, directories: 0, sizeBytes: 0, warnings: [] };

const ofTable = (opened: Inside, sizeBytes: number): Extracted => ({
  ...none,
  point: opened.point,
  component: opened.captured.name,
  what: opened.kind === "table" ? "table" : kindOf(opened),
  files: 1,
  sizeBytes,
});

/** @param write takes the bytes as they come; its return says whether anybody still wants them */
export const extractToStream = async (
  bench: Bench,
  request: ExtractRequest,
  write: (bytes: ByteStream) => Promise<void>,
): Promise<Extracted> => {
  const opened = await open(bench, request);
  let sizeBytes = 0;
  await write(counted(bytesOf(bench, opened, request), request, (bytes) => (sizeBytes += bytes)));
  return ofTable(opened, sizeBytes);
};

/** @param target absolute @throws RefloatError target.exists, target.failed, path.hostile, vault.damaged, ... */
export const extractToPlace = async (bench: Bench, request: ExtractRequest, target: string): Promise<Extracted> => {
  const opened = await open(bench, request);
  const { point, captured, tree } = opened;
  const { signal, progress } = request;
  if (opened.kind === "table") {
    const rows = counted(bytesOf(bench, opened, request), request, () => undefined);
    return ofTable(opened, await bench.places.write(target, rows, signal));
  }
  const report = await bench.places.make(target, (partial) => tree.extract(opened.entry, partial, signal, progress));
  return { ...report, point, component: captured.name, what: kindOf(opened) };
};

export type ArchiveTarget = {
  readonly compression: "none" | "zstd";
  /** Takes the archive as it comes. */
  readonly write: (bytes: ByteStream) => Promise<void>;
};

export const extractToArchive = async (
  bench: Bench,
  request: ExtractRequest,
  { compression, write }: ArchiveTarget,
): Promise<Extracted> => {
  const opened = await open(bench, request);
  const { point, captured, tree } = opened;
  if (opened.kind === "table") {
    throw new RefloatError("usage", `${opened.table.name} is a table, which is one stream of rows and no tree`, {
      nextCommand: `refloat extract ${placeOf(opened, opened.table.name)} --to FILE`,
    });
  }
  const tally: ArchiveTally = { files: 0, directories: 0, sizeBytes: 0, leftOut: 0 };
  const { path, entry } = opened;
  const name = path.length === 0 ? Buffer.from(captured.name) : path.subarray(path.lastIndexOf(0x2f) + 1);
  const entries = archiveEntries(tree, entry, name, tally, request.signal);
  await write(counted(bench.places.archive(entries, compression), request, () => undefined));
  const { files, directories, sizeBytes, leftOut } = tally;
  return {
    point,
    component: captured.name,
    what: kindOf(opened),
    files,
    directories: Math.max(0, directories - 1),
    sizeBytes,
    warnings: leftOut === 0 ? [] : [`${leftOut} sockets or the like were left out: no archive can hold them`],
  };
};
