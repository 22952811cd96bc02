/** What differs in one component between two states of it: tables by their facts, versions, schema, and how many files. */
import type { Facts } from "../../model/facts.ts";
import type { CapturedTable } from "../ports/driver.ts";
import { type CompareTally, type Difference, type TreeSide, compareTrees } from "./compare-trees.ts";
import { type ValueDifference, compareValues } from "./compare-values.ts";

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
  /** Why what is in it was not compared: what is live is captured as a stream, and not as files that could be looked at one by one. */
  readonly unseen?: string;
};

/** Is given each difference of files as it comes; what it returns is waited for. */
export type TakeDifference = (component: string, difference: Difference) => Promise<void>;

/** Counts while files are compared. */
export type FilesTally = {
  readonly files: { -readonly [Key in keyof ComponentDiff["files"]]: number };
  readonly folders: CompareTally;
};

export const emptyTally = (): FilesTally => ({
  files: { added: 0, removed: 0, changed: 0, metadata: 0, addedBytes: 0, removedBytes: 0 },
  folders: { foldersRead: 0, foldersEqual: 0 },
});

export type SidePair = { readonly before: TreeSide | null; readonly after: TreeSide | null };

export const compareFiles = async (
  { before, after }: SidePair,
  { files, folders }: FilesTally,
  take: (difference: Difference) => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  for await (const difference of compareTrees(before, after, folders, signal)) {
    files[difference.kind] += 1;
    files.addedBytes += difference.kind === "metadata" ? 0 : (difference.after?.sizeBytes ?? 0);
    files.removedBytes += difference.kind === "metadata" ? 0 : (difference.before?.sizeBytes ?? 0);
    await take(difference);
  }
};

/** What is known of a component beside its files. */
export type ComponentSide = {
  readonly facts: Pick<Facts, "versions" | "schemaHash">;
  readonly tables: readonly CapturedTable[];
};

/** @param before null where the component is not there */
export const componentDiff = (
  component: string,
  before: ComponentSide | null,
  after: ComponentSide | null,
  { files, folders }: FilesTally,
): ComponentDiff => {
  const tables = compareTables(before?.tables ?? [], after?.tables ?? []);
  const [factsA, factsB] = [before?.facts, after?.facts];
  const versions = [...compareValues(factsA?.versions ?? {}, factsB?.versions ?? {})];
  const schemaChanged =
    factsA?.schemaHash !== undefined && factsB?.schemaHash !== undefined && factsA.schemaHash !== factsB.schemaHash;
  const differs =
    schemaChanged || tables.length + versions.length + files.added + files.removed + files.changed + files.metadata > 0;
  return {
    component,
    state: before === null ? "added" : after === null ? "removed" : differs ? "changed" : "equal",
    schemaChanged,
    versions,
    tables,
    files,
    ...folders,
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
