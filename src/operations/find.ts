/** find: every version of a file across recovery points, with the points that hold it. Reads folders, and contents only when asked to. */
import { createHash } from "node:crypto";
import type { CapturedTable } from "../core/ports/driver.ts";
import type { FolderEntry, TreeReader } from "../core/ports/vault-snapshots.ts";
import { type VersionRoot, type WalkTally, findVersions } from "../core/granular/find-versions.ts";
import { namePattern } from "../core/granular/name-pattern.ts";
import {
  type ExactPlace,
  type GranularBench,
  type OpenComponent,
  entryAt,
  openComponent,
  openEntry,
} from "../core/granular/open-place.ts";
import { type Range, isWithin } from "../core/granular/parse-range.ts";
import type { PointId } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type FindRequest = {
  readonly name: string | null;
  /** What lies at exactly this path, or the table of this name, and nothing else; null to look everywhere. */
  readonly exactly: ExactPlace["inside"] | null;
  readonly service: string | null;
  readonly component: string | null;
  readonly sizeBytes: Range | null;
  /** Of files, in milliseconds since 1970. */
  readonly modified: Range | null;
  /** Of points. */
  readonly taken: Range | null;
  /** Beginning of a content id, of the SHA-256 of the content, or of the id of one of its pieces. */
  readonly content: string | null;
  /** Read files of several pieces to learn the SHA-256 of their content. */
  readonly readData: boolean;
};

export type FoundVersion = {
  /** Newest first. */
  readonly points: readonly PointId[];
  readonly entry: FolderEntry | null;
  readonly table: CapturedTable | null;
};

export type Found = {
  readonly service: string;
  readonly component: string;
  /** A file's path below the component's root; null for a table. */
  readonly path: Uint8Array | null;
  readonly table: string | null;
  readonly versions: readonly FoundVersion[];
};

export type FindSummary = {
  readonly points: number;
  readonly found: number;
  readonly versions: number;
  readonly foldersRead: number;
  readonly foldersSkipped: number;
  /** Files of several pieces whose SHA-256 nobody knows, as they were not read. */
  readonly unhashed: number;
  readonly unreadable: readonly {
    readonly component: string;
    readonly path: Uint8Array;
    readonly points: readonly PointId[];
    readonly reason: string;
  }[];
};

/** @param take is given each find as it comes; false ends the search */
export const find = async (
  bench: GranularBench,
  request: FindRequest,
  take: (found: Found) => Promise<boolean>,
  signal: AbortSignal,
): Promise<FindSummary> => {
  const points = (await (await bench.vault()).points.list(request.service ?? undefined)).filter(
    ({ manifest }) => request.taken === null || isWithin(request.taken, Date.parse(manifest.consistentAt)),
  );
  const search = new Search(request, take, signal);
  for (const [service, components] of componentsOf(points, request.component)) {
    for (const [component, holders] of components) {
      await search.component(bench, service, component, holders);
      if (search.ended) return search.summary(points.length);
    }
  }
  return search.summary(points.length);
};

type ByComponent = Map<string, Map<string, RecoveryPoint[]>>;

const componentsOf = (points: readonly RecoveryPoint[], only: string | null): ByComponent => {
  const found: ByComponent = new Map();
  for (const point of points) {
    const { service, components } = point.manifest;
    const known = found.get(service) ?? new Map<string, RecoveryPoint[]>();
    found.set(service, known);
    for (const name of Object.keys(components)) {
      if (only !== null && name !== only) continue;
      known.set(name, [...(known.get(name) ?? []), point]);
    }
  }
  return found;
};

class Search {
  ended = false;
  readonly #request: FindRequest;
  readonly #take: (found: Found) => Promise<boolean>;
  readonly #signal: AbortSignal;
  readonly #fitsName: (path: Uint8Array) => boolean;
  readonly #sums = { found: 0, versions: 0, folders: 0, skipped: 0, unhashed: 0 };
  readonly #unreadable: FindSummary["unreadable"][number][] = [];

  constructor(request: FindRequest, take: (found: Found) => Promise<boolean>, signal: AbortSignal) {
    this.#request = request;
    this.#take = take;
    this.#signal = signal;
    this.#fitsName = request.name === null ? () => true : namePattern(request.name);
  }

  async component(
    bench: GranularBench,
    service: string,
    component: string,
    holders: readonly RecoveryPoint[],
  ): Promise<void> {
    const { exactly } = this.#request;
    const roots: VersionRoot[] = [];
    const tables = new Map<string, { point: PointId; table: CapturedTable }[]>();
    for (const point of holders) {
      try {
        const opened = await openComponent(bench, point, component);
        for (const table of opened.tables ?? []) {
          if (exactly !== null && !("table" in exactly && exactly.table === table.name)) continue;
          tables.set(table.name, [...(tables.get(table.name) ?? []), { point: point.id, table }]);
        }
        // The files of a database's archive are named by numbers that say nothing.
        if (opened.tables === null) roots.push(...(await this.#root(opened)));
      } catch (error) {
        if (!(error instanceof RefloatError && ["point.damaged", "vault.damaged"].includes(error.code))) throw error;
        this.#unreadable.push({ component, path: new Uint8Array(), points: [point.id], reason: error.message });
      }
    }
    for (const [name, versions] of tables) await this.#table(service, component, name, versions);
    await this.#files(service, component, roots);
  }

  summary(points: number): FindSummary {
    const { found, versions, folders, skipped, unhashed } = this.#sums;
    return {
      points,
      found,
      versions,
      foldersRead: folders,
      foldersSkipped: skipped,
      unhashed,
      unreadable: this.#unreadable,
    };
  }

  /** Where the search of one component begins: nowhere when what is looked for exactly is not there, or is a folder. */
  async #root(opened: OpenComponent): Promise<readonly VersionRoot[]> {
    const { tree, point } = opened;
    const { exactly } = this.#request;
    if (exactly === null) return [{ tree, entry: (await openEntry(opened, null)).entry, points: [point.id] }];
    const entry = exactly instanceof Uint8Array ? await entryAt(opened, exactly) : undefined;
    return entry === undefined || entry.treeId !== null ? [] : [{ tree, entry, points: [point.id] }];
  }

  async #files(service: string, component: string, roots: readonly VersionRoot[]): Promise<void> {
    const tally: WalkTally = { folders: 0, skipped: 0, files: 0, unreadable: [] };
    for await (const { path, versions } of findVersions(roots, this.#wanted, tally, this.#signal)) {
      const fitting: FoundVersion[] = [];
      for (const { entry, tree, points } of versions) {
        if (await this.#fitsContent(entry, tree)) fitting.push({ entry, table: null, points });
      }
      const { exactly } = this.#request;
      const at = exactly instanceof Uint8Array ? exactly : path;
      await this.#found({ service, component, path: at, table: null, versions: fitting });
      if (this.ended) break;
    }
    this.#sums.folders += tally.folders;
    this.#sums.skipped += tally.skipped;
    this.#unreadable.push(...tally.unreadable.map((hurt) => ({ component, ...hurt })));
  }

  async #table(
    service: string,
    component: string,
    name: string,
    versions: readonly { readonly point: PointId; readonly table: CapturedTable }[],
  ): Promise<void> {
    const { content, modified, sizeBytes } = this.#request;
    // When a row was written no fact says.
    if (modified !== null) return;
    const groups = new Map<string, { points: PointId[]; table: CapturedTable }>();
    for (const { point, table } of versions) {
      if (![table.name, ...table.aliases].some((alias) => this.#fitsName(Buffer.from(alias)))) continue;
      if (sizeBytes !== null && !isWithin(sizeBytes, table.sizeBytes ?? 0)) continue;
      if (content !== null && table.sha256?.startsWith(content) !== true) continue;
      const key = table.sha256 ?? `${table.rows} ${table.sizeBytes}`;
      const known = groups.get(key);
      if (known === undefined) groups.set(key, { points: [point], table });
      else known.points.push(point);
    }
    const found = [...groups.values()].map(({ points, table }) => ({ points, table, entry: null }));
    await this.#found({ service, component, path: null, table: name, versions: found });
  }

  async #found(found: Found): Promise<void> {
    if (found.versions.length === 0 || this.ended) return;
    this.#sums.found += 1;
    this.#sums.versions += found.versions.length;
    if (!(await this.#take(found))) this.ended = true;
  }

  readonly #wanted = (path: Uint8Array, entry: FolderEntry): boolean => {
    const { sizeBytes, modified, content, readData } = this.#request;
    if (!this.#fitsName(path)) return false;
    if (sizeBytes !== null && !(entry.type === "file" && isWithin(sizeBytes, entry.sizeBytes))) return false;
    if (modified !== null && !isWithin(modified, Number(entry.modifiedNs / 1_000_000n))) return false;
    if (content === null) return true;
    if (knownContent(entry, content)) return true;
    const unknown = entry.type === "file" && entry.pieces.length > 1;
    if (unknown && !readData) this.#sums.unhashed += 1;
    return unknown && readData;
  };

  async #fitsContent(entry: FolderEntry, tree: TreeReader): Promise<boolean> {
    const { content } = this.#request;
    if (content === null || knownContent(entry, content)) return true;
    const hash = createHash("sha256");
    for await (const part of tree.content(entry)) {
      this.#signal.throwIfAborted();
      hash.update(part);
    }
    return hash.digest("hex").startsWith(content);
  }
}

const knownContent = ({ contentId, pieces }: FolderEntry, wanted: string): boolean =>
  contentId?.startsWith(wanted) === true || pieces.some((piece) => piece.startsWith(wanted));
