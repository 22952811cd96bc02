/**
 * Which service needs which, by references such as `${auth.db.url}` and by `dependsOn: [auth.db]`. Hard edges, as between components: what is
 * needed is there first, and nobody waits for itself.
 */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { Json } from "../../model/json.ts";
import { type JsonPath, findReferences } from "../declaration/template.ts";

export type ServiceEdge = {
  /** The service that needs. */
  readonly from: string;
  /** The service that is needed. */
  readonly to: string;
  /** The component of `from`; null where the service as a whole names it (its cutover, a manual step). */
  readonly component: string | null;
  /** The component of `to`. */
  readonly target: string;
  /** `${auth.db.url}` or `dependsOn`. */
  readonly via: string;
  /** Below the service, as in the file. */
  readonly path: JsonPath;
};

type Named = Pick<ServiceDeclaration, "name" | "components"> &
  Partial<Pick<ServiceDeclaration, "cutover" | "manual" | "probe">>;

/** In the order of the file. */
export const serviceEdges = (services: Iterable<Named>): readonly ServiceEdge[] =>
  [...services].flatMap((service) => [
    ...Object.values(service.components).flatMap((component) => [
      ...component.dependsOn.flatMap((name, index): readonly ServiceEdge[] => {
        const [to = "", target] = name.split(".");
        const path = ["components", component.name, "dependsOn", index];
        return target === undefined
          ? []
          : [{ from: service.name, to, component: component.name, target, via: "dependsOn", path }];
      }),
      ...referenceEdges(service.name, component.name, component.options, ["components", component.name]),
      ...component.checks.flatMap(({ options }, index) =>
        referenceEdges(service.name, component.name, options, ["components", component.name, "checks", index]),
      ),
    ]),
    ...(service.cutover ?? []).flatMap(({ options, to }, index) =>
      referenceEdges(service.name, null, { ...options, to: to ?? "" }, ["cutover", index]),
    ),
    ...(service.manual ?? []).flatMap((step, index) =>
      referenceEdges(service.name, null, { do: step.do, expect: step.expect ?? "" }, ["manual", index]),
    ),
    ...referenceEdges(service.name, null, service.probe?.options ?? null, ["probe"]),
  ]);

const referenceEdges = (from: string, component: string | null, value: Json, base: JsonPath): readonly ServiceEdge[] =>
  findReferences(value, base).flatMap(({ path, part }) =>
    part.kind === "foreign"
      ? [{ from, to: part.service, component, target: part.component, via: part.source, path }]
      : [],
  );

/** All that a service needs, directly or not, each after what it needs itself. The service is not among them. Without circles. */
export const neededServices = (edges: readonly ServiceEdge[], service: string): readonly string[] => {
  const needed: string[] = [];
  const visit = (name: string): void => {
    for (const { to } of edges.filter(({ from }) => from === name)) {
      if (to === service || needed.includes(to)) continue;
      visit(to);
      if (!needed.includes(to)) needed.push(to);
    }
  };
  visit(service);
  return needed;
};
