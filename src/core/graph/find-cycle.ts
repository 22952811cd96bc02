/** Cycles: which components wait for each other, and by which edges. */
import type { Edge } from "../../model/graph.ts";

type Cyclic = Pick<Edge, "from" | "to">;

/** Shortest way from `start` back to itself, edge by edge; undefined when there is none. */
const shortestWayBack = <E extends Cyclic>(edges: readonly E[], start: string): readonly E[] | undefined => {
  const leaving = Map.groupBy(edges, ({ from }) => from);
  const cameBy = new Map<string, E>();
  const queue = [start];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    for (const edge of leaving.get(name) ?? []) {
      if (cameBy.has(edge.to)) continue;
      cameBy.set(edge.to, edge);
      if (edge.to === start) return pathTo(cameBy, start);
      queue.push(edge.to);
    }
  }
  return undefined;
};

const pathTo = <E extends Cyclic>(cameBy: ReadonlyMap<string, E>, start: string): readonly E[] => {
  const path: E[] = [];
  let name = start;
  do {
    const edge = cameBy.get(name);
    if (edge === undefined) break;
    path.unshift(edge);
    name = edge.from;
  } while (name !== start);
  return path;
};

/** Without the edges of components that lead to none, and so are in no circle: of a sound declaration no edge is left. */
const withoutEnds = <E extends Cyclic>(edges: readonly E[], enter: "from" | "to"): readonly E[] => {
  const leave = enter === "from" ? "to" : "from";
  const arriving = Map.groupBy(edges, (edge) => edge[leave]);
  const leads = new Map<string, number>();
  for (const edge of edges) leads.set(edge[enter], (leads.get(edge[enter]) ?? 0) + 1);
  const ended = [...arriving.keys()].filter((name) => !leads.has(name));
  // The array grows while it is walked: it is queue and result in one.
  for (const name of ended)
    for (const edge of arriving.get(name) ?? []) {
      const left = (leads.get(edge[enter]) ?? 0) - 1;
      leads.set(edge[enter], left);
      if (left === 0) ended.push(edge[enter]);
    }
  const isEnded = new Set(ended);
  return edges.filter((edge) => !isEnded.has(edge[leave]));
};

/**
 * One shortest cycle for each group of components that wait for each other, beginning at the component whose edge comes first
 * in `edges`. Cycles that share a component are told one at a time, since breaking one often breaks the others.
 */
export const findCycles = <E extends Cyclic>(edges: readonly E[]): readonly (readonly E[])[] => {
  const cycles: (readonly E[])[] = [];
  const told = new Set<string>();
  const circling = withoutEnds(withoutEnds(edges, "from"), "to");
  for (const name of new Set(circling.map(({ from }) => from))) {
    if (told.has(name)) continue;
    const cycle = shortestWayBack(
      circling.filter(({ from, to }) => !told.has(from) && !told.has(to)),
      name,
    );
    if (cycle === undefined) continue;
    cycles.push(cycle);
    for (const edge of cycle) told.add(edge.from);
  }
  return cycles;
};
