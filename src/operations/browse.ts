/** browse: what a recovery point holds, one level at a time. Reads the vault only. */
import type { CapturedKey } from "../core/ports/captured-keys.ts";
import type { CapturedTable } from "../core/ports/driver.ts";
import type { FolderEntry } from "../core/ports/vault-snapshots.ts";
import {
  type ExactPlace,
  type GranularBench,
  type OpenComponent,
  type OpenExcerpt,
  type OpenKeys,
  joinPath,
  openPlace,
} from "../core/granular/open-place.ts";
import { isPattern } from "../core/granular/key-pattern.ts";
import { formatPlace } from "../core/granular/parse-place.ts";
import { waves } from "../core/graph/order.ts";
import { shortId } from "../model/identifiers.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { CapturedComponent, RecoveryPoint } from "../model/manifest.ts";

export type BrowsedComponent = {
  readonly name: string;
  /** Recovered with the others of the same wave, after those of lower ones; from 1. */
  readonly wave: number;
  readonly captured: CapturedComponent;
  /** Its snapshot is gone. */
  readonly missing: boolean;
};

export type BrowsedEntry = {
  /** Below the component's root; empty for the root. */
  readonly path: Uint8Array;
  readonly entry: FolderEntry;
};

export type Browsed =
  | { readonly kind: "point"; readonly point: RecoveryPoint; readonly components: readonly BrowsedComponent[] }
  | (Component & { readonly kind: "tables"; readonly tables: readonly CapturedTable[] })
  | (Component & { readonly kind: "table"; readonly table: CapturedTable })
  | (Component & {
      readonly kind: "keys";
      /** As typed; null for all. */
      readonly pattern: string | null;
      /** In no order, each as it is asked for. */
      readonly keys: AsyncIterable<CapturedKey>;
    })
  | (Component & { readonly kind: "file"; readonly at: BrowsedEntry })
  | (Component & {
      readonly kind: "folder";
      readonly at: BrowsedEntry;
      /** What can be taken out of it by its own server, as it can be typed behind the component; null where there is no such thing. */
      readonly databases: readonly string[] | null;
      /** In byte order of names, each as it is asked for; folders before what is in them when `recursive`. */
      readonly entries: AsyncIterable<BrowsedEntry>;
    });

type Component = { readonly point: RecoveryPoint; readonly captured: CapturedComponent };

export type BrowseRequest = {
  readonly place: string | ExactPlace;
  readonly recursive: boolean;
  /** The files of a component that is shown by its tables or keys otherwise. */
  readonly files: boolean;
};

/** @throws RefloatError usage, point.unknown, point.ambiguous, point.damaged, component.unknown, vault.* */
export const browse = async (
  bench: GranularBench,
  { place, recursive, files }: BrowseRequest,
  signal: AbortSignal,
): Promise<Browsed> => {
  const opened = await openPlace(bench, place);
  if (opened.kind === "point") {
    return { kind: "point", point: opened.point, components: componentsOf(opened.point) };
  }
  const { point, captured } = opened;
  if (opened.kind === "table") return { kind: "table", point, captured, table: opened.table };
  if (opened.kind === "keys") {
    const { keys, name } = opened;
    return { kind: "keys", point, captured, pattern: name, keys: keysOf(opened, keys.list(opened, name, signal)) };
  }
  const { excerpts, keys } = bench.registry.components.get(captured.driver) ?? {};
  if (opened.kind === "excerpt") throw unseen(opened, excerpts?.databases(captured) ?? []);
  const at: BrowsedEntry = { path: opened.path, entry: opened.entry };
  if (opened.tables !== null && opened.path.length === 0 && !files && !recursive) {
    return { kind: "tables", point, captured, tables: opened.tables };
  }
  if (keys !== undefined && opened.path.length === 0 && !files && !recursive) {
    return { kind: "keys", point, captured, pattern: null, keys: keys.list(opened, null, signal) };
  }
  if (opened.entry.treeId === null) return { kind: "file", point, captured, at };
  const databases = opened.path.length === 0 && !files ? (excerpts?.databases(captured) ?? null) : null;
  return { kind: "folder", point, captured, at, databases, entries: entriesBelow(opened, at, recursive, signal) };
};

/** Only a server of it could tell. */
const unseen = ({ point, captured, name, what }: OpenExcerpt, databases: readonly string[]): RefloatError =>
  new RefloatError(
    "point.unknown",
    `${name} is no file of ${captured.name}; if it is a ${what}, only a server that is made for it can look into it`,
    {
      hint: `the capture has the databases ${databases.join(", ")}; extract takes a table, a schema or a database`,
      nextCommand: `refloat extract ${formatPlace({ point: shortId(point.id), component: captured.name, path: name })} ${what === "table" ? "--stdout --csv" : `--dump --to ${what}.dump`}`,
    },
  );

/** A name that is no pattern is there or it is not. */
async function* keysOf(
  { point, captured, name }: OpenKeys,
  keys: AsyncIterable<CapturedKey>,
): AsyncGenerator<CapturedKey> {
  let isThere = isPattern(name);
  for await (const key of keys) {
    isThere = true;
    yield key;
  }
  if (isThere) return;
  throw new RefloatError("point.unknown", `${captured.name} of point ${shortId(point.id)} has no key or file ${name}`, {
    hint: "a pattern looks for it: * stands for anything, ? for one byte",
    nextCommand: `refloat browse ${formatPlace({ point: shortId(point.id), component: captured.name, path: null })}`,
  });
}

const componentsOf = ({ manifest, missing }: RecoveryPoint): readonly BrowsedComponent[] => {
  const ordered = waves(manifest.graph).flatMap((names, index) => names.map((name) => ({ name, wave: index + 1 })));
  const known = new Set(ordered.map(({ name }) => name));
  const others = Object.keys(manifest.components).filter((name) => !known.has(name));
  return [...ordered, ...others.map((name) => ({ name, wave: 1 }))].flatMap(({ name, wave }) => {
    const captured = manifest.components[name];
    return captured === undefined ? [] : [{ name, wave, captured, missing: missing.includes(name) }];
  });
};

async function* entriesBelow(
  opened: OpenComponent,
  folder: BrowsedEntry,
  recursive: boolean,
  signal: AbortSignal,
): AsyncGenerator<BrowsedEntry> {
  signal.throwIfAborted();
  for (const entry of await opened.tree.folder(folder.entry.treeId ?? "")) {
    const found = { path: joinPath(folder.path, entry.name), entry };
    yield found;
    if (recursive && entry.treeId !== null) yield* entriesBelow(opened, found, recursive, signal);
  }
}
