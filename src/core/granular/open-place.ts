/**
 * Finds what a place stands for: a point, one of its components, a table in it or an entry of its tree. Reads the vault and nothing else, so
 * that it works where neither the source nor a declaration is left.
 */
import type { CapturedComponent, RecoveryPoint } from "../../model/manifest.ts";
import type { PointId } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { shortId } from "../../model/identifiers.ts";
import { nearestWord } from "../declaration/nearest-word.ts";
import type { CapturedKeys } from "../ports/captured-keys.ts";
import type { CapturedTable } from "../ports/driver.ts";
import type { FolderEntry, TreeReader } from "../ports/vault-snapshots.ts";
import type { Workbench } from "../ports/workbench.ts";
import { readName, showName } from "../text/shown-name.ts";
import { type Place, formatPlace, parsePlace } from "./parse-place.ts";

export type OpenComponent = {
  readonly point: RecoveryPoint;
  readonly captured: CapturedComponent;
  readonly tree: TreeReader;
  readonly tables: readonly CapturedTable[] | null;
};

export type OpenEntry = OpenComponent & {
  readonly kind: "entry";
  readonly entry: FolderEntry;
  /** Below the component's root, without a slash at its beginning; empty for the root itself. */
  readonly path: Uint8Array;
};

export type OpenPlace =
  | { readonly kind: "point"; readonly point: RecoveryPoint }
  | (OpenComponent & { readonly kind: "table"; readonly table: CapturedTable })
  | OpenExcerpt
  | OpenKeys
  | OpenEntry;

/** What may be in a capture that only a server can read; whether it is there is not known yet. */
export type OpenExcerpt = OpenComponent & {
  readonly kind: "excerpt";
  /** As typed. */
  readonly name: string;
  readonly what: "table" | "schema" | "database";
};

/** Keys of a store; which of them are there is not known yet. */
export type OpenKeys = OpenComponent & {
  readonly kind: "keys";
  readonly keys: CapturedKeys;
  /** A name, or a pattern of names, as typed. */
  readonly name: string;
};

/** A place by its bytes, where no spelling has to be guessed. */
export type ExactPlace = {
  readonly point: PointId;
  /** Null for the point as a whole. */
  readonly component: string | null;
  /** A path below the component's root, empty for the root; or a table by its name. */
  readonly inside: Uint8Array | { readonly table: string };
};

export type GranularBench = Pick<Workbench, "vault" | "registry">;

/** @throws RefloatError component.unknown, point.damaged, vault.damaged */
export const openComponent = async (
  bench: GranularBench,
  point: RecoveryPoint,
  name: string,
): Promise<OpenComponent> => {
  const { components } = point.manifest;
  const captured = Object.hasOwn(components, name) ? components[name] : undefined;
  if (captured === undefined) {
    const near = nearestWord(name, Object.keys(components));
    throw new RefloatError("component.unknown", `point ${shortId(point.id)} holds no component "${name}"`, {
      hint: near === undefined ? `it holds ${Object.keys(components).join(", ")}` : `did you mean "${near}"?`,
      nextCommand: `refloat browse ${shortId(point.id)}`,
    });
  }
  if (point.missing.includes(name)) {
    throw new RefloatError("point.damaged", `point ${shortId(point.id)} has lost ${name}: its snapshot is gone`, {
      context: { point: point.id, component: name, snapshot: captured.snapshot },
      hint: "another point may have it",
      nextCommand: `refloat points ${point.manifest.service}`,
    });
  }
  const { repository } = await bench.vault();
  return {
    point,
    captured,
    tree: await repository.openTree(captured.snapshot),
    tables: bench.registry.components.get(captured.driver)?.contents?.tables(captured) ?? null,
  };
};

const slash = Buffer.from("/");

const within = (root: string, below: Uint8Array): Uint8Array =>
  below.length === 0
    ? Buffer.from(root)
    : Buffer.concat(root === "/" ? [slash, below] : [Buffer.from(root), slash, below]);

/** @param path inside the component, without a slash at its beginning; empty for its root */
export const entryAt = (
  { captured, tree }: Pick<OpenComponent, "captured" | "tree">,
  path: Uint8Array,
): Promise<FolderEntry | undefined> => tree.entry(within(captured.path, path));

const trimmed = (path: Uint8Array): Uint8Array => {
  let [from, to] = [0, path.length];
  while (from < to && path[from] === 0x2f) from += 1;
  while (to > from && path[to - 1] === 0x2f) to -= 1;
  return path.subarray(from, to);
};

/**
 * What may be meant by a typed path: the bytes as they stand, the same with escapes as lists print them, and either as a whole path of
 * the machine that was captured.
 */
const readings = (typed: string, root: string): readonly Uint8Array[] => {
  const plain = [Buffer.from(typed), ...(typed.includes("\\") ? [readName(typed)] : [])];
  const prefix = Buffer.from(root === "/" ? "/" : `${root}/`);
  return plain.flatMap((bytes) => [
    trimmed(bytes),
    ...(Buffer.compare(bytes.subarray(0, prefix.length), prefix) === 0 ? [trimmed(bytes.subarray(prefix.length))] : []),
  ]);
};

/** @throws RefloatError point.unknown */
export const openEntry = async (opened: OpenComponent, typed: string | null): Promise<OpenEntry> => {
  for (const path of readings(typed ?? "", opened.captured.path)) {
    const entry = await entryAt(opened, path);
    if (entry !== undefined) return { ...opened, kind: "entry", entry, path };
  }
  throw notThere(opened, typed);
};

const notThere = ({ captured, point, tables }: OpenComponent, typed: string | null): RefloatError => {
  const place = { point: shortId(point.id), component: captured.name, path: null };
  return new RefloatError(
    "point.unknown",
    `${captured.name} of point ${shortId(point.id)} has no ${tables === null ? "file" : "table or file"} ${showName(Buffer.from(typed ?? captured.path))}`,
    {
      context: { point: point.id, component: captured.name, path: typed },
      nextCommand: `refloat browse ${formatPlace(place)}`,
    },
  );
};

const tableOf = (tables: readonly CapturedTable[] | null, typed: string | null): CapturedTable | undefined =>
  typed === null ? undefined : tables?.find(({ name, aliases }) => name === typed || aliases.includes(typed));

/** @throws RefloatError usage, point.unknown, point.ambiguous, component.unknown, point.damaged, path.hostile */
export const openPlace = async (bench: GranularBench, named: string | ExactPlace): Promise<OpenPlace> => {
  if (typeof named !== "string") return openExact(bench, named);
  const place: Place = parsePlace(named);
  const point = await (await bench.vault()).points.read(place.point);
  if (place.component === null) return { kind: "point", point };
  const opened = await openComponent(bench, point, place.component);
  const table = tableOf(opened.tables, place.path);
  if (table !== undefined) return { ...opened, kind: "table", table };
  const keys = keysOf(bench, opened, place.path);
  // No file of a captured store is typed so, and a key must not be out of reach because one has its name.
  if (keys !== null && /^\/|\\/.test(keys.name)) return keys;
  try {
    return await openEntry(opened, place.path);
  } catch (error) {
    if (!(error instanceof RefloatError)) throw error;
    const excerpt = error.code === "point.unknown" ? excerptOf(bench, opened, place.path) : null;
    // Names of keys may be what no path is: `..`, or with a zero byte in it.
    if (excerpt === null && keys !== null && ["point.unknown", "path.hostile"].includes(error.code)) return keys;
    if (excerpt === null) throw error;
    return excerpt;
  }
};

/** A file of the tree comes first. */
const excerptOf = (bench: GranularBench, opened: OpenComponent, name: string | null): OpenExcerpt | null => {
  const what =
    name === null ? null : (bench.registry.components.get(opened.captured.driver)?.excerpts?.kindOf(name) ?? null);
  return name === null || what === null ? null : { ...opened, kind: "excerpt", name, what };
};

const keysOf = (bench: GranularBench, opened: OpenComponent, name: string | null): OpenKeys | null => {
  const keys = bench.registry.components.get(opened.captured.driver)?.keys;
  return name === null || keys === undefined ? null : { ...opened, kind: "keys", keys, name };
};

const openExact = async (bench: GranularBench, { point: id, component, inside }: ExactPlace): Promise<OpenPlace> => {
  const point = await (await bench.vault()).points.read(id);
  if (component === null) return { kind: "point", point };
  const opened = await openComponent(bench, point, component);
  if (inside instanceof Uint8Array) {
    const entry = await entryAt(opened, inside);
    if (entry !== undefined) return { ...opened, kind: "entry", entry, path: inside };
    throw notThere(opened, inside.length === 0 ? null : showName(inside));
  }
  const table = opened.tables?.find(({ name }) => name === inside.table);
  if (table !== undefined) return { ...opened, kind: "table", table };
  throw notThere(opened, inside.table);
};

export const joinPath = (folder: Uint8Array, name: Uint8Array): Uint8Array =>
  folder.length === 0 ? name : Buffer.concat([folder, slash, name]);
