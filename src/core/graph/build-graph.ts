/**
 * The dependency graph of one service, from its declaration. Edges come from `dependsOn`, `uses`, references such as
 * `${db.url}` (hard, like `dependsOn`) and invariants (data). Every edge remembers where in the file it was declared, so that a
 * cycle can be shown by its places. Edges to components that do not exist are left out: the declaration's checks name them.
 */
import type { ComponentDeclaration, ServiceDeclaration } from "../../model/declaration.ts";
import type { Edge, Graph } from "../../model/graph.ts";
import { type JsonPath, findReferences } from "../declaration/template.ts";

export type DeclaredEdge = {
  readonly edge: Edge;
  /** Path below the service, as in the file: `["components", "app", "environment", "DATABASE_URL"]`. */
  readonly path: JsonPath;
  /** The reference that made it, for its place inside a longer string. */
  readonly source?: string;
};

const namedEdges = (component: ComponentDeclaration): readonly DeclaredEdge[] => {
  const listed = (names: readonly string[], kind: "hard" | "uses", via: "dependsOn" | "uses") =>
    names.map((to, index) => ({
      edge: { from: component.name, to, kind, via },
      path: ["components", component.name, via, index],
    }));
  return [...listed(component.dependsOn, "hard", "dependsOn"), ...listed(component.uses, "uses", "uses")];
};

const referenceEdges = (component: ComponentDeclaration): readonly DeclaredEdge[] => {
  const base: JsonPath = ["components", component.name];
  const references = [
    ...findReferences(component.options, base),
    ...component.checks.flatMap((check, index) => findReferences(check.options, [...base, "checks", index])),
  ];
  return references.flatMap(({ path, part }): readonly DeclaredEdge[] =>
    part.kind === "output" && part.component !== "self" && part.component !== component.name
      ? [
          {
            edge: { from: component.name, to: part.component, kind: "hard", via: part.source },
            path,
            source: part.source,
          },
        ]
      : [],
  );
};

const dataEdges = (service: Pick<ServiceDeclaration, "invariants">): readonly DeclaredEdge[] =>
  Object.entries(service.invariants).flatMap(([name, invariant]): readonly DeclaredEdge[] => {
    const [from] = Object.keys(invariant.every);
    const [to] = Object.keys(invariant.in);
    if (from === undefined || to === undefined || from === to) return [];
    return [{ edge: { from, to, kind: "data", via: `invariants.${name}` }, path: ["invariants", name] }];
  });

/** Every edge at every place that declares it, in the order of the file. */
export const declaredEdges = (
  service: Pick<ServiceDeclaration, "components" | "invariants">,
): readonly DeclaredEdge[] => {
  const components = Object.values(service.components);
  return [
    ...components.flatMap((component) => [...namedEdges(component), ...referenceEdges(component)]),
    ...dataEdges(service),
  ].filter(({ edge }) => Object.hasOwn(service.components, edge.from) && Object.hasOwn(service.components, edge.to));
};

/** Nodes in the order of the file; each edge once, however often a component refers to another. */
export const buildGraph = (service: Pick<ServiceDeclaration, "components" | "invariants">): Graph => {
  const edges = new Map<string, Edge>();
  for (const { edge } of declaredEdges(service))
    edges.set(JSON.stringify([edge.from, edge.to, edge.kind, edge.via]), edge);
  return {
    nodes: Object.values(service.components).map(({ name, type }) => ({ name, type })),
    edges: [...edges.values()],
  };
};
