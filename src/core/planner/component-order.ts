/** The graph as the planner asks of it again and again: who is recovered after whom, and what each depends on. */
import type { Graph } from "../../model/graph.ts";
import { recoveryOrder } from "../graph/order.ts";
import { dependenciesOf } from "../graph/reach.ts";

export type ComponentOrder = {
  /** Each component after all that it depends on. */
  readonly names: readonly string[];
  /** All that the component depends on, directly or not. */
  readonly dependenciesOf: (name: string) => ReadonlySet<string>;
};

export const componentOrder = (graph: Graph): ComponentOrder => {
  const names = recoveryOrder(graph);
  const below = new Map(names.map((name) => [name, new Set(dependenciesOf(graph, [name]))]));
  return { names, dependenciesOf: (name) => below.get(name) ?? new Set() };
};
