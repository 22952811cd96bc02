/** The graph as the planner asks of it again and again: who is recovered after whom, and what each depends on. */
import type { Graph } from "../../model/graph.ts";
import { recoveryOrder } from "../graph/order.ts";

export type ComponentOrder = {
  /** Each component after all that it depends on. */
  readonly names: readonly string[];
  /** All that the component depends on, directly or not, each after all that it depends on itself. Looked up once it is asked for. */
  readonly dependenciesOf: (name: string) => ReadonlySet<string>;
};

export const componentOrder = (graph: Graph): ComponentOrder => {
  const names = recoveryOrder(graph);
  const rank = new Map(names.map((name, index) => [name, index]));
  const direct = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const { from, to, kind } of graph.edges) if (kind === "hard" && from !== to) direct.get(from)?.push(to);
  const known = new Map<string, ReadonlySet<string>>();
  const lookUp = (name: string): ReadonlySet<string> => {
    const found = new Set<string>();
    const open = [...(direct.get(name) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (found.has(next)) continue;
      found.add(next);
      open.push(...(direct.get(next) ?? []));
    }
    return new Set([...found].toSorted((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0)));
  };
  return {
    names,
    dependenciesOf: (name) => {
      const below = known.get(name) ?? lookUp(name);
      known.set(name, below);
      return below;
    },
  };
};
