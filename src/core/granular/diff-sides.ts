/** What diff compares: whole points, component by component, each by its files or by its tables. */
import type { RecoveryPoint } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { TreeSide } from "./compare-trees.ts";
import type { ComponentDiff, ComponentSide } from "./component-diff.ts";
import type { ValueDifference } from "./compare-values.ts";
import { type GranularBench, type OpenComponent, openComponent, openEntry } from "./open-place.ts";
import { parsePlace } from "./parse-place.ts";

export type PointDiff = {
  readonly before: RecoveryPoint;
  /** Null for what is live. */
  readonly after: RecoveryPoint | null;
  readonly declaration: readonly ValueDifference[];
  readonly components: readonly ComponentDiff[];
};

/** A place is accepted where a component is named apart. @throws RefloatError usage */
export const wholePoint = (text: string): string => {
  const place = parsePlace(text);
  if (place.component === null) return place.point;
  throw new RefloatError("usage", `diff compares points; one component of them: --only ${place.component}`, {
    nextCommand: "refloat diff --help",
  });
};

/** @throws RefloatError component.unknown */
export const comparedNames = (
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  only: string | null,
): readonly string[] => {
  const all = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  if (only === null) return all;
  if (all.includes(only)) return [only];
  throw new RefloatError("component.unknown", `neither side has a component "${only}"`, {
    hint: `they have ${all.join(", ")}`,
  });
};

export const openIfHeld = async (
  bench: GranularBench,
  point: RecoveryPoint,
  name: string,
): Promise<OpenComponent | null> =>
  Object.hasOwn(point.manifest.components, name) ? openComponent(bench, point, name) : null;

/** Null for what is compared by its tables: the files of its archive say nothing. */
export const filesSide = async (opened: OpenComponent | null): Promise<TreeSide | null> =>
  opened === null || opened.tables !== null
    ? null
    : { tree: opened.tree, entry: (await openEntry(opened, null)).entry };

export const knownSide = (opened: OpenComponent | null): ComponentSide | null =>
  opened === null ? null : { facts: opened.captured.facts, tables: opened.tables ?? [] };
