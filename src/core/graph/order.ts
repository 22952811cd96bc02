/**
 * Orders over the graph. All are deterministic: where the graph leaves a choice, the order of the file decides.
 * They expect the hard edges to be a DAG, which `parseDeclaration` has proven; see `find-cycle.ts`.
 */
import type { Edge, Graph } from "../../model/graph.ts";
import { RefloatError } from "../../model/refloat-error.ts";

const predecessorsOf = (
  names: readonly string[],
  edges: readonly Edge[],
  /** Which end of an edge goes first. */
  first: "from" | "to",
): Map<string, Set<string>> => {
  const last = first === "from" ? "to" : "from";
  const waitsFor = new Map(names.map((name) => [name, new Set<string>()]));
  for (const edge of edges) {
    if (edge.from !== edge.to && waitsFor.has(edge[first])) waitsFor.get(edge[last])?.add(edge[first]);
  }
  return waitsFor;
};

/**
 * Components that may be recovered at the same time, wave after wave: each wave needs only earlier ones.
 * @throws RefloatError bug when the hard edges have a cycle
 */
export const waves = (graph: Graph): readonly (readonly string[])[] => {
  const hard = graph.edges.filter(({ kind }) => kind === "hard");
  const names = graph.nodes.map(({ name }) => name);
  const waitsFor = predecessorsOf(names, hard, "to");
  const dependents = predecessorsOf(names, hard, "from");
  const rank = new Map(names.map((name, index) => [name, index]));
  const placed = new Set<string>();
  const result: string[][] = [];
  let wave = names.filter((name) => waitsFor.get(name)?.size === 0);
  while (wave.length > 0) {
    for (const name of wave) placed.add(name);
    result.push(wave);
    const next = new Set<string>();
    for (const name of wave) {
      for (const dependent of dependents.get(name) ?? []) {
        const needs = waitsFor.get(dependent);
        needs?.delete(name);
        if (needs?.size === 0) next.add(dependent);
      }
    }
    wave = [...next].toSorted((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
  }
  if (placed.size < names.length)
    throw new RefloatError(
      "bug",
      `components wait for each other: ${names.filter((name) => !placed.has(name)).join(", ")}`,
    );
  return result;
};

/** Dependencies first: `db, uploads > app > proxy` in one line. */
export const recoveryOrder = (graph: Graph): readonly string[] => waves(graph).flat();

/**
 * Referrer first: a row that is in the database has its file on disk by the time the files are read, as long as files are
 * written before the rows that name them. Components without data references keep the order of recovery. Where data references
 * run in a circle no order proves them all; the one that comes first in recovery is read first; the declaration's checks warn of it.
 */
export const captureOrder = (graph: Graph): readonly string[] => {
  const names = recoveryOrder(graph);
  const data = graph.edges.filter(({ kind }) => kind === "data");
  const waitsFor = predecessorsOf(names, data, "from");
  const readers = predecessorsOf(names, data, "to");
  const rank = new Map(names.map((name, index) => [name, index]));
  /** Ranks of those that wait for nobody, the first one last. */
  const free = names.flatMap((name, index) => (waitsFor.get(name)?.size === 0 ? index : [])).toReversed();
  const placed = new Set<string>();
  let first = 0;
  while (placed.size < names.length) {
    while (placed.has(names[first] ?? "")) first += 1;
    const name = names[free.pop() ?? first] ?? "";
    placed.add(name);
    for (const next of readers.get(name) ?? []) {
      const needs = waitsFor.get(next);
      if (needs?.delete(name) !== true || needs.size > 0 || placed.has(next)) continue;
      const own = rank.get(next) ?? 0;
      free.splice(placeOf(free, own), 0, own);
    }
  }
  return [...placed];
};

/** Where a number goes in a list of falling ones. */
const placeOf = (falling: readonly number[], number: number): number => {
  let [low, high] = [0, falling.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((falling[middle] ?? 0) > number) low = middle + 1;
    else high = middle;
  }
  return low;
};
