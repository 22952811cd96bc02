/** extract: one thing out of a recovery point, to where nothing is yet. Never touches what is live. */
import type { ByteStream } from "../core/ports/bytes.ts";
import type { RowFormat } from "../core/ports/driver.ts";
import type { ExcerptForm } from "../core/ports/excerpts.ts";
import type { VaultProgress } from "../core/ports/vault-snapshots.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { type ArchiveTally, archiveEntries } from "../core/granular/archive-entries.ts";
import { withComponents } from "../core/components/component-access.ts";
import {
  type ExactPlace,
  type OpenEntry,
  type OpenExcerpt,
  type OpenKeys,
  type OpenPlace,
  openPlace,
} from "../core/granular/open-place.ts";
import { placeAtMoment } from "../core/granular/place-at-moment.ts";
import { formatPlace } from "../core/granular/parse-place.ts";
import { restoredName } from "../core/text/restored-name.ts";
import { showName } from "../core/text/shown-name.ts";
import { shortId } from "../model/identifiers.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import type { PlannedReplay } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type Extracted = {
  readonly point: RecoveryPoint;
  readonly component: string;
  readonly what: "key" | "table" | "schema" | "database" | "file" | "folder" | "link" | "special";
  /** Where the log led on from the point, and the moment that this stands for; null for the point as it is. */
  readonly replayed: Pick<PlannedReplay, "to" | "at"> | null;
  readonly files: number;
  readonly directories: number;
  readonly sizeBytes: number;
  readonly warnings: readonly string[];
};

export type ExtractRequest = {
  readonly place: string | ExactPlace;
  /** As typed: then the place begins with a service, and this says which point of it, and how far on from there. */
  readonly at?: string | null;
  readonly rows: RowFormat;
  /** An archive of the table, schema or database, with its definitions. */
  readonly dump?: boolean;
  /** Somebody asked for the form of rows: what is no table is refused. */
  readonly tablesOnly?: boolean;
  readonly signal: AbortSignal;
  readonly progress: VaultProgress;
  /** What goes on before the first byte comes, in a person's words. */
  readonly stage?: (what: string) => void;
};

type Bench = Workbench;
type Inside = Exclude<OpenPlace, { readonly kind: "point" }> & {
  readonly replay: PlannedReplay | null;
  /** Of the choice of the point. */
  readonly told: readonly string[];
};

const isTable = (opened: OpenPlace): boolean =>
  opened.kind === "table" || (opened.kind === "excerpt" && opened.what === "table");

/** Is this what the asked form can be made of? */
const requireForm = (
  opened: Inside,
  { tablesOnly = false, dump = false }: ExtractRequest,
  { registry }: Bench,
): void => {
  const { name, driver } = opened.captured;
  if (dump && opened.kind !== "excerpt" && opened.kind !== "keys") {
    const whole = opened.kind === "table" ? registry.components.get(driver)?.contents?.whole : undefined;
    throw new RefloatError(
      "usage",
      `--dump is for tables, schemas and databases within the capture of a whole server, and for keys`,
      whole === undefined
        ? { hint: `${name} is ${driver}` }
        : {
            hint: `${name} is ${driver}: its tables come as rows, and without --dump the whole database, ${whole.words}`,
            nextCommand: `refloat extract ${placeOf(opened, "")} --to ${name}${whole.suffix}`,
          },
    );
  }
  if (tablesOnly && !isTable(opened))
    throw new RefloatError("usage", `${name} is no table here, and only the rows of a table become CSV`);
  if (opened.kind === "excerpt" && opened.what !== "table" && !dump)
    throw new RefloatError("usage", `${opened.name} would be a whole ${opened.what}, which is no one stream of rows`, {
      hint: "with --dump it becomes an archive with definitions and rows; if a file was meant, there is none of that name",
      nextCommand: `refloat extract ${placeOf(opened, opened.name)} --dump --to ${opened.what}.dump`,
    });
};

const open = async (bench: Bench, request: ExtractRequest): Promise<Inside> => {
  const { place, at = null } = request;
  if (at !== null && typeof place !== "string") throw new RefloatError("bug", "an exact place is of its own point");
  const moment = at === null || typeof place !== "string" ? null : await placeAtMoment(bench, place, at);
  const found = await openPlace(bench, moment?.place ?? place);
  if (found.kind !== "point") {
    // What is a file in the point is as the point has it.
    const replay = found.kind === "excerpt" ? (moment?.replay ?? null) : null;
    const opened: Inside = { ...found, replay, told: found.kind === "excerpt" ? (moment?.warnings ?? []) : [] };
    requireForm(opened, request, bench);
    return opened;
  }
  const opened = found;
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

const placeOf = ({ point, captured }: Pick<Inside, "point" | "captured">, path: string): string =>
  formatPlace({ point: shortId(point.id), component: captured.name, path: path === "" ? null : path });

type Taken<Result> = { readonly result: Result; readonly warnings: readonly string[] };

/** The declaration that says where programs of the component are: today's, if it still has the component, else the point's own. */
const declaredFor = async (bench: Bench, { point, captured }: OpenExcerpt): Promise<ServiceDeclaration> => {
  const { services } = await bench.declaration();
  const today = Object.hasOwn(services, point.manifest.service) ? services[point.manifest.service] : undefined;
  return today?.components[captured.name]?.type === captured.driver ? today : point.manifest.declaration;
};

const useExcerpt = async <Result>(
  bench: Bench,
  opened: OpenExcerpt & Pick<Inside, "replay" | "told">,
  { rows, dump = false, signal, stage = () => undefined }: ExtractRequest,
  use: (bytes: ByteStream) => Promise<Result>,
): Promise<Taken<Result>> => {
  const { captured, tree, name, replay, point } = opened;
  const service = await declaredFor(bench, opened);
  const { logs } = await bench.vault();
  const form: ExcerptForm = dump ? "dump" : rows;
  const warnings: string[] = [...opened.told];
  const options = { service, locate: () => null, marker: `refloat/extract/${point.manifest.service}`, signal };
  return withComponents(bench, options, async (access) => {
    const { excerpts } = access.driver(captured.name);
    if (excerpts === undefined) throw new RefloatError("bug", `${captured.driver} has no excerpts`);
    const reader =
      replay === null ? null : await logs.reader({ service: point.manifest.service, component: captured.name });
    const bytes = excerpts.take(
      await access.context(captured.name),
      { tree, captured },
      {
        name,
        form,
        replay: replay === null || reader === null ? null : { ...replay, logs: reader },
        stage,
        warn: (warning) => warnings.push(warning),
      },
    );
    return { result: await use(bytes), warnings };
  });
};

/** The bytes of a file, the rows of a table, or an archive of a part of a server. */
const useBytes = async <Result>(
  bench: Bench,
  opened: Inside,
  request: ExtractRequest,
  use: (bytes: ByteStream) => Promise<Result>,
): Promise<Taken<Result>> =>
  opened.kind === "excerpt"
    ? useExcerpt(bench, opened, request, use)
    : { result: await use(bytesOf(bench, opened, request)), warnings: [] };

const keyBytes = (opened: OpenKeys, { dump = false, signal }: ExtractRequest): ByteStream =>
  opened.keys.take(opened, { typed: opened.name, form: dump ? "dump" : "value", signal });

const bytesOf = (bench: Bench, opened: Exclude<Inside, OpenExcerpt>, request: ExtractRequest): ByteStream => {
  const { captured, tree } = opened;
  const { rows, signal } = request;
  if (opened.kind === "keys") return keyBytes(opened, request);
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

const whatOf = (opened: Inside): Extracted["what"] => {
  switch (opened.kind) {
    case "entry":
      return kindOf(opened);
    case "excerpt":
      return opened.what;
    case "keys":
      return "key";
    case "table":
      return "table";
    default:
      return opened satisfies never;
  }
};

const ofStream = (opened: Inside, sizeBytes: number, warnings: readonly string[]): Extracted => ({
  point: opened.point,
  replayed: opened.replay,
  component: opened.captured.name,
  what: whatOf(opened),
  files: 1,
  directories: 0,
  sizeBytes,
  warnings,
});

/** @param write takes the bytes as they come; its return says whether anybody still wants them */
export const extractToStream = async (
  bench: Bench,
  request: ExtractRequest,
  write: (bytes: ByteStream) => Promise<void>,
): Promise<Extracted> => {
  const opened = await open(bench, request);
  let sizeBytes = 0;
  const { warnings } = await useBytes(bench, opened, request, (bytes) =>
    write(counted(bytes, request, (length) => (sizeBytes += length))),
  );
  return ofStream(opened, sizeBytes, warnings);
};

/** @param target absolute @throws RefloatError target.exists, target.failed, path.hostile, vault.damaged, ... */
export const extractToPlace = async (bench: Bench, request: ExtractRequest, target: string): Promise<Extracted> => {
  const opened = await open(bench, request);
  const { point, captured, tree } = opened;
  const { signal, progress } = request;
  if (opened.kind !== "entry") {
    const { result, warnings } = await useBytes(bench, opened, request, (bytes) =>
      bench.places.write(
        target,
        counted(bytes, request, () => undefined),
        signal,
      ),
    );
    return ofStream(opened, result, warnings);
  }
  const report = await bench.places.make(target, (partial) => tree.extract(opened.entry, partial, signal, progress));
  return { ...report, point, replayed: null, component: captured.name, what: kindOf(opened) };
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
  if (opened.kind !== "entry") {
    const name = opened.kind === "table" ? opened.table.name : opened.name;
    const what = whatOf(opened);
    throw new RefloatError("usage", `${name} is a ${what}, which is one stream and no tree`, {
      nextCommand: `refloat extract ${placeOf(opened, name)} --to ${restoredName(name)}${opened.kind === "excerpt" && what !== "table" ? " --dump" : ""}`,
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
    replayed: null,
    component: captured.name,
    what: kindOf(opened),
    files,
    directories: Math.max(0, directories - 1),
    sizeBytes,
    warnings: leftOut === 0 ? [] : [`${leftOut} sockets or the like were left out: no archive can hold them`],
  };
};
