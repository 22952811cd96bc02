/** diff: what changed from one recovery point of a service to another. Compares what the vault knows; reads no content. */
import type { CapturedTable } from "../core/ports/driver.ts";
import { type CompareTally, type Difference, type TreeSide, compareTrees } from "../core/granular/compare-trees.ts";
import { type ValueDifference, compareValues } from "../core/granular/compare-values.ts";
import { type GranularBench, type OpenComponent, openComponent, openEntry } from "../core/granular/open-place.ts";
import { parsePlace } from "../core/granular/parse-place.ts";
import { shortId } from "../model/identifiers.ts";
import { toJsonObject } from "../model/json.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type TableDifference = {
  readonly kind: "added" | "removed" | "changed";
  readonly name: string;
  readonly before: CapturedTable | null;
  readonly after: CapturedTable | null;
};

export type ComponentDiff = {
  readonly component: string;
  readonly state: "equal" | "changed" | "added" | "removed";
  /** Another schema, as a dependent may see it. */
  readonly schemaChanged: boolean;
  readonly versions: readonly ValueDifference[];
  readonly tables: readonly TableDifference[];
  readonly files: {
    readonly added: number;
    readonly removed: number;
    readonly changed: number;
    readonly metadata: number;
    readonly addedBytes: number;
    readonly removedBytes: number;
  };
  readonly foldersEqual: number;
  readonly foldersRead: number;
};

export type PointDiff = {
  readonly before: RecoveryPoint;
  readonly after: RecoveryPoint;
  readonly declaration: readonly ValueDifference[];
  readonly components: readonly ComponentDiff[];
};

export type DiffRequest = { readonly before: string; readonly after: string; readonly only: string | null };

/** @param take is given each difference of files as it comes; what it returns is waited for */
export const diff = async (
  bench: GranularBench,
  request: DiffRequest,
  take: (component: string, difference: Difference) => Promise<void>,
  signal: AbortSignal,
): Promise<PointDiff> => {
  const { points } = await bench.vault();
  const [before, after] = [await points.read(pointOf(request.before)), await points.read(pointOf(request.after))];
  if (before.manifest.service !== after.manifest.service) {
    throw new RefloatError(
      "usage",
      `${shortId(before.id)} is a point of ${before.manifest.service}, ${shortId(after.id)} one of ${after.manifest.service}`,
      { hint: "points of one service can be compared", nextCommand: `refloat points ${before.manifest.service}` },
    );
  }
  const names = namesOf(before, after, request.only);
  const components: ComponentDiff[] = [];
  for (const name of names) components.push(await diffComponent(bench, { before, after, name }, take, signal));
  return {
    before,
    after,
    declaration: [
      ...compareValues(toJsonObject(before.manifest.declaration), toJsonObject(after.manifest.declaration)),
    ],
    components,
  };
};

/** A place is accepted where a component is named apart. @throws RefloatError usage */
const pointOf = (text: string): string => {
  const place = parsePlace(text);
  if (place.component === null) return place.point;
  throw new RefloatError("usage", `diff compares points; one component of them: --only ${place.component}`, {
    nextCommand: "refloat diff --help",
  });
};

const namesOf = (before: RecoveryPoint, after: RecoveryPoint, only: string | null): readonly string[] => {
  const all = [...new Set([...Object.keys(before.manifest.components), ...Object.keys(after.manifest.components)])];
  if (only === null) return all;
  if (all.includes(only)) return [only];
  throw new RefloatError("component.unknown", `neither point holds a component "${only}"`, {
    hint: `they hold ${all.join(", ")}`,
  });
};

type Pair = { readonly before: RecoveryPoint; readonly after: RecoveryPoint; readonly name: string };

const openIfHeld = async (bench: GranularBench, point: RecoveryPoint, name: string): Promise<OpenComponent | null> =>
  Object.hasOwn(point.manifest.components, name) ? openComponent(bench, point, name) : null;

const sideOf = async (opened: OpenComponent | null): Promise<TreeSide | null> =>
  opened === null || opened.tables !== null
    ? null
    : { tree: opened.tree, entry: (await openEntry(opened, null)).entry };

const diffComponent = async (
  bench: GranularBench,
  { before, after, name }: Pair,
  take: (component: string, difference: Difference) => Promise<void>,
  signal: AbortSignal,
): Promise<ComponentDiff> => {
  const [a, b] = [await openIfHeld(bench, before, name), await openIfHeld(bench, after, name)];
  const tally: CompareTally = { foldersRead: 0, foldersEqual: 0 };
  const files = { added: 0, removed: 0, changed: 0, metadata: 0, addedBytes: 0, removedBytes: 0 };
  for await (const difference of compareTrees(await sideOf(a), await sideOf(b), tally, signal)) {
    files[difference.kind] += 1;
    files.addedBytes += difference.kind === "metadata" ? 0 : (difference.after?.sizeBytes ?? 0);
    files.removedBytes += difference.kind === "metadata" ? 0 : (difference.before?.sizeBytes ?? 0);
    await take(name, difference);
  }
  const tables = compareTables(a?.tables ?? [], b?.tables ?? []);
  const [factsA, factsB] = [a?.captured.facts, b?.captured.facts];
  const versions = [...compareValues(factsA?.versions ?? {}, factsB?.versions ?? {})];
  const schemaChanged =
    factsA?.schemaHash !== undefined && factsB?.schemaHash !== undefined && factsA.schemaHash !== factsB.schemaHash;
  const differs =
    schemaChanged || tables.length + versions.length + files.added + files.removed + files.changed + files.metadata > 0;
  return {
    component: name,
    state: a === null ? "added" : b === null ? "removed" : differs ? "changed" : "equal",
    schemaChanged,
    versions,
    tables,
    files,
    ...tally,
  };
};

const compareTables = (
  before: readonly CapturedTable[],
  after: readonly CapturedTable[],
): readonly TableDifference[] => {
  const [a, b] = [before, after].map((tables) => new Map(tables.map((table) => [table.name, table])));
  return [...new Set([...before, ...after].map(({ name }) => name))].toSorted().flatMap((name): TableDifference[] => {
    const [old, now] = [a?.get(name) ?? null, b?.get(name) ?? null];
    if (old === null) return [{ kind: "added", name, before: null, after: now }];
    if (now === null) return [{ kind: "removed", name, before: old, after: null }];
    const same = old.rows === now.rows && old.sizeBytes === now.sizeBytes && old.sha256 === now.sha256;
    return same ? [] : [{ kind: "changed", name, before: old, after: now }];
  });
};
