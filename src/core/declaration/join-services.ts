/** What holds between the services of a file: who needs whom, that nobody waits for itself, and what each has to know of those it needs. */
import type { Declaration, ServiceDeclaration } from "../../model/declaration.ts";
import { findCycles } from "../graph/find-cycle.ts";
import { type ServiceEdge, neededServices, serviceEdges } from "../graph/service-graph.ts";
import type { Reading } from "./reading.ts";
import type { Place } from "./source-place.ts";
import { piecePlaceAt, valuePlaceAt } from "./yaml-source.ts";

type Services = Declaration["services"];
type Needed = NonNullable<ServiceDeclaration["needs"]>[string];

/** @returns undefined when services wait for each other; then it has been reported */
export const joinServices = (reading: Reading, services: Services): Services | undefined => {
  const edges = serviceEdges(Object.values(services));
  // Who names its own service is told where that stands.
  const cycles = findCycles(edges.filter(({ from, to }) => from !== to));
  for (const cycle of cycles) reportCycle(reading, cycle);
  if (cycles.length > 0) return undefined;
  return Object.fromEntries(
    Object.entries(services).map(([name, service]) => {
      const needed = neededServices(edges, name);
      const needs = Object.fromEntries(needed.map((other) => [other, partsOf(services[other])]));
      return [name, needed.length === 0 ? service : { ...service, needs }];
    }),
  );
};

const partsOf = ({ components = {}, provision }: Partial<ServiceDeclaration> = {}): Needed => ({
  components,
  ...(provision === undefined ? {} : { provision }),
});

const placeOf = (reading: Reading, { from, path, via }: ServiceEdge): Place => {
  const whole = ["services", from, ...path];
  return via === "dependsOn" ? valuePlaceAt(reading.root, whole) : piecePlaceAt(reading.root, whole, via);
};

const reportCycle = (reading: Reading, cycle: readonly ServiceEdge[]): void => {
  const [first] = cycle;
  if (first === undefined) return;
  const steps = cycle.map((edge) => {
    const { line, column } = reading.collector.position(placeOf(reading, edge));
    return `${edge.to} (${line}:${column}, by ${edge.via === "dependsOn" ? `dependsOn of ${edge.component ?? ""}` : edge.via})`;
  });
  reading.collector.report({
    code: "config.cycle",
    place: placeOf(reading, first),
    path: ["services", first.from],
    message: "services wait for each other",
    trail: [first.from, ...steps].join(" > "),
    hint: "none of them could be recovered first; write the address that one of them keeps instead of the reference",
  });
};
