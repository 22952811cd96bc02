/** Looks at what components say of each other: `dependsOn`, `uses`, invariants, and circles among them. */
import type { Edge } from "../../model/graph.ts";
import { type DeclaredEdge, declaredEdges } from "../graph/build-graph.ts";
import { findCycles } from "../graph/find-cycle.ts";
import { foreignComponent } from "./foreign-component.ts";
import { nearestWord } from "./nearest-word.ts";
import type { ServiceDraft } from "./service-draft.ts";
import type { Reading } from "./reading.ts";
import type { Place } from "./source-place.ts";
import type { JsonPath } from "./template.ts";
import { keyPlaceAt, nodeAt, piecePlaceAt, valuePlaceAt } from "./yaml-source.ts";

export const checkRelations = (reading: Reading, service: JsonPath, draft: ServiceDraft): void => {
  refuseReservedName(reading, service, draft);
  for (const component of Object.values(draft.components)) {
    const path = [...service, "components", component.name];
    component.dependsOn.forEach((name, index) => checkName(reading, [...path, "dependsOn", index], name, draft));
    component.uses.forEach((name, index) => checkName(reading, [...path, "uses", index], name, draft, component.name));
  }
  checkInvariants(reading, service, draft);
  reportCycles(reading, service, draft);
};

const refuseReservedName = (reading: Reading, service: JsonPath, draft: ServiceDraft): void => {
  for (const section of ["components", "provision"] as const) {
    if (!Object.hasOwn(draft[section], "self")) continue;
    reading.atKey([...service, section, "self"], {
      code: "config.bad-name",
      message: '"self" cannot be a name',
      hint: `in \${self.port} it means the ${section === "components" ? "component" : "entry"} itself; choose another name`,
    });
  }
  for (const name of Object.keys(draft.provision).filter((one) => Object.hasOwn(draft.components, one))) {
    reading.atKey([...service, "provision", name], {
      code: "config.bad-name",
      message: `${name} is a component already, and references could not tell the two apart`,
      hint: "give what is provisioned a name of its own",
    });
  }
};

/** @param not the component that may not be named, since it stands there itself; a hard edge to itself is told as a cycle */
const checkName = (reading: Reading, path: JsonPath, name: string, draft: ServiceDraft, not?: string): void => {
  // Not text, or a reference: reported where that is looked at.
  if (name === "" || name.includes("${")) return;
  if (name === not) {
    reading.atValue(path, {
      code: "config.bad-value",
      message: `${name} uses itself`,
      hint: "remove it: what a component does inside is its own business",
    });
    return;
  }
  if (Object.hasOwn(draft.components, name)) return;
  const [service = "", component, ...more] = name.split(".");
  if (component !== undefined && path.includes("dependsOn")) {
    checkForeignName(reading, path, draft, service, [component, ...more].join("."));
    return;
  }
  reading.atValue(path, unknownComponent(name, draft));
};

/** `auth.db`: a component of another service must be there first. */
const checkForeignName = (
  reading: Reading,
  path: JsonPath,
  draft: ServiceDraft,
  service: string,
  component: string,
): void => {
  const services = [...(nodeAt(reading.root, ["services"])?.entries.keys() ?? [])];
  if (service !== draft.name && foreignComponent(reading, service, component) !== undefined) return;
  const names = [...(nodeAt(reading.root, ["services", service, "components"])?.entries.keys() ?? [])];
  reading.atValue(path, {
    code: "config.unknown-component",
    message:
      service === draft.name
        ? `${service}.${component} names its own service`
        : services.includes(service)
          ? `service ${service} has no component "${component}"`
          : `there is no service "${service}"`,
    hint:
      service === draft.name
        ? `write ${component}`
        : `there are ${(services.includes(service) ? names : services).join(", ")}`,
  });
};

const unknownComponent = (name: string, draft: ServiceDraft) => {
  const names = Object.keys(draft.components);
  const nearest = nearestWord(name, names);
  return {
    code: "config.unknown-component",
    message: `service ${draft.name} has no component "${name}"`,
    hint: nearest === undefined ? `there are ${names.join(", ")}` : `did you mean "${nearest}"?`,
  } as const;
};

const checkInvariants = (reading: Reading, service: JsonPath, draft: ServiceDraft): void => {
  for (const [invariant, sides] of Object.entries(draft.invariants)) {
    for (const side of ["every", "in"] as const) {
      for (const [name, asked] of Object.entries(sides[side])) {
        const path = [...service, "invariants", invariant, side, name];
        const type = Object.hasOwn(draft.components, name) ? draft.components[name]?.type : undefined;
        if (type === undefined) {
          reading.atKey(path, unknownComponent(name, draft), path.slice(0, -1));
          continue;
        }
        const driver = reading.registry.components.get(type);
        if (typeof asked !== "string" || driver === undefined || driver.invariantValues !== undefined) continue;
        const able = [...reading.registry.components.values()]
          .filter((other) => other.invariantValues !== undefined)
          .map((other) => other.type);
        reading.atKey(
          path,
          {
            code: "config.unsupported",
            message: `${name} (${type}) has no values that an invariant could compare`,
            hint: `an invariant compares components of type ${able.join(", ")}; values of others are asked by ${[...reading.registry.sets.keys()].map((kind) => `${kind}:`).join(", ")}`,
          },
          path.slice(0, -1),
        );
      }
    }
  }
};

type PlacedEdge = Pick<Edge, "from" | "to"> & { readonly declared: DeclaredEdge };

const placedEdges = (draft: ServiceDraft, kind: Edge["kind"]): readonly PlacedEdge[] =>
  declaredEdges(draft)
    .filter(({ edge }) => edge.kind === kind)
    .map((declared) => ({ from: declared.edge.from, to: declared.edge.to, declared }));

const counts = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const countWord = (count: number): string => counts[count] ?? String(count);

const reportCycles = (reading: Reading, service: JsonPath, draft: ServiceDraft): void => {
  for (const cycle of findCycles(placedEdges(draft, "hard"))) reportHardCycle(reading, service, cycle);
  for (const cycle of findCycles(placedEdges(draft, "data"))) reportDataCycle(reading, service, cycle);
};

const placeOfEdge = (reading: Reading, service: JsonPath, { declared }: PlacedEdge): Place => {
  const path = [...service, ...declared.path];
  if (declared.edge.kind === "data") return keyPlaceAt(reading.root, path);
  return declared.source === undefined
    ? valuePlaceAt(reading.root, path)
    : piecePlaceAt(reading.root, path, declared.source);
};

const positionText = (reading: Reading, place: Place): string => {
  const { line, column } = reading.collector.position(place);
  return `${line}:${column}`;
};

const trailOf = (reading: Reading, service: JsonPath, cycle: readonly PlacedEdge[]): string => {
  const steps = cycle.map((edge) => {
    const { source } = edge.declared;
    const position = positionText(reading, placeOfEdge(reading, service, edge));
    return `${edge.to} (${position}${source === undefined ? "" : `, by ${source}`})`;
  });
  return [cycle[0]?.from ?? "", ...steps].join(" > ");
};

const reportHardCycle = (reading: Reading, service: JsonPath, cycle: readonly PlacedEdge[]): void => {
  const [first] = cycle;
  if (first === undefined) return;
  const byReference = cycle.some(({ declared }) => declared.source !== undefined);
  const drop = cycle.length === 1 ? "remove it" : `drop one of the ${countWord(cycle.length)}`;
  const calls = cycle.length === 1 ? "" : "; if it is only called while running, declare it under uses:";
  reading.collector.report({
    code: "config.cycle",
    place: placeOfEdge(reading, service, first),
    path: [...service, "components", first.from],
    message: cycle.length === 1 ? `${first.from} waits for itself` : "components wait for each other",
    trail: trailOf(reading, service, cycle),
    hint: byReference ? `a reference is a dependency too; ${drop}` : `${drop}${calls}`,
  });
};

const reportDataCycle = (reading: Reading, service: JsonPath, cycle: readonly PlacedEdge[]): void => {
  const [first] = cycle;
  if (first === undefined) return;
  reading.collector.report({
    code: "config.data-cycle",
    severity: "warning",
    place: placeOfEdge(reading, service, first),
    path: [...service, "invariants"],
    message: `${[...new Set(cycle.map(({ from }) => from))].join(" and ")} name each other's data, so no order of capture proves both`,
    trail: trailOf(reading, service, cycle),
    hint: "one side may be found broken in a point that was taken while both changed",
  });
};
