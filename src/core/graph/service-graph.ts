/**
 * Which service needs which, by references such as `${auth.db.url}` and by `dependsOn: [auth.db]`. Hard edges, as between components: what is
 * needed is there first, and nobody waits for itself.
 */
import type { ComponentDeclaration, ServiceDeclaration } from "../../model/declaration.ts";
import { type DeclaredText, type Texts, declaredTexts } from "../declaration/declared-texts.ts";
import { type JsonPath, findReferences } from "../declaration/template.ts";

export type ServiceEdge = {
  /** The service that needs. */
  readonly from: string;
  /** The service that is needed. */
  readonly to: string;
  /** The component of `from`; null where the service as a whole names it (its cutover, what it is provisioned with). */
  readonly component: string | null;
  /** The component of `to`. */
  readonly target: string;
  /** `${auth.db.url}` or `dependsOn`. */
  readonly via: string;
  /** Below the service, as in the file. */
  readonly path: JsonPath;
};

type Named = Pick<ServiceDeclaration, "name"> & Texts;

/** In the order of the file, section by section. */
export const serviceEdges = (services: Iterable<Named>): readonly ServiceEdge[] =>
  [...services].flatMap((service) => [
    ...Object.values(service.components).flatMap(namedEdges(service.name)),
    ...declaredTexts(service).flatMap(referenceEdges(service.name)),
  ]);

const namedEdges =
  (from: string) =>
  ({ name: component, dependsOn }: ComponentDeclaration): readonly ServiceEdge[] =>
    dependsOn.flatMap((name, index): readonly ServiceEdge[] => {
      const [to = "", target] = name.split(".");
      const path = ["components", component, "dependsOn", index];
      return target === undefined ? [] : [{ from, to, component, target, via: "dependsOn", path }];
    });

const referenceEdges =
  (from: string) =>
  ({ section, name, value, path: base }: DeclaredText): readonly ServiceEdge[] =>
    findReferences(value, base).flatMap(({ path, part }) =>
      part.kind === "foreign"
        ? [
            {
              from,
              to: part.service,
              component: section === "components" ? name : null,
              target: part.component,
              via: part.source,
              path,
            },
          ]
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

/** What else notices when components of the service change hands. */
export const servicesBoundTo = (
  { services }: { readonly services: Readonly<Record<string, Named>> },
  service: string,
): readonly {
  readonly service: string;
  readonly component: string | null;
  readonly to: string;
  readonly via: string;
}[] =>
  serviceEdges(Object.values(services))
    .filter(({ to }) => to === service)
    .map(({ from, component, target, via }) => ({ service: from, component, to: target, via }));
