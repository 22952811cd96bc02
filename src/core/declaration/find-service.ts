import { distance } from "fastest-levenshtein";
import type { Declaration, ServiceDeclaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";

/** @throws RefloatError service.unknown naming what exists */
export const findService = (declaration: Declaration, name: string): ServiceDeclaration => {
  const service = declaration.services[name];
  if (service !== undefined) return service;
  const names = Object.keys(declaration.services);
  const near = names.find((known) => distance(known, name) <= 2);
  throw new RefloatError("service.unknown", `no service "${name}" is declared`, {
    hint: near === undefined ? `there are ${names.join(", ")}` : `did you mean "${near}"?`,
  });
};

/** @throws RefloatError component.unknown naming what exists */
export const requireComponents = (service: ServiceDeclaration, names: readonly string[]): void => {
  const known = Object.keys(service.components);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new RefloatError("component.unknown", `service ${service.name} has no component "${unknown}"`, {
    hint: `there are ${known.join(", ")}`,
  });
};
