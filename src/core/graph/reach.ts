/** What a component drags along: all that depends on it, and all that it depends on, through any number of hard edges. */
import type { Graph } from "../../model/graph.ts";

const reach = (graph: Graph, start: readonly string[], enter: "from" | "to"): readonly string[] => {
  const leave = enter === "from" ? "to" : "from";
  const entering = Map.groupBy(
    graph.edges.filter(({ kind }) => kind === "hard"),
    (edge) => edge[enter],
  );
  const reached = new Set(start);
  const queue = [...start];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    for (const edge of entering.get(name) ?? []) {
      if (reached.has(edge[leave])) continue;
      reached.add(edge[leave]);
      queue.push(edge[leave]);
    }
  }
  return graph.nodes.map(({ name }) => name).filter((name) => reached.has(name) && !start.includes(name));
};

/** Components that need one of `names`, directly or through others; `names` themselves are not among them. In the file's order. */
export const dependentsOf = (graph: Graph, names: readonly string[]): readonly string[] => reach(graph, names, "to");

/** Components that `names` need, directly or through others; `names` themselves are not among them. In the file's order. */
export const dependenciesOf = (graph: Graph, names: readonly string[]): readonly string[] =>
  reach(graph, names, "from");
