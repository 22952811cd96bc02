/** Finds what a person names on the command line in the declaration, or says what there is instead. */
import type { Declaration, ServiceDeclaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { suggestWord } from "./nearest-word.ts";

/** @throws RefloatError service.unknown naming what exists */
export const findService = (declaration: Declaration, name: string): ServiceDeclaration => {
  const service = Object.hasOwn(declaration.services, name) ? declaration.services[name] : undefined;
  if (service !== undefined) return service;
  const names = Object.keys(declaration.services);
  throw new RefloatError("service.unknown", `no service "${name}" is declared`, {
    hint: suggestWord(name, names, `there are ${names.join(", ")}`),
    nextCommand: "refloat status",
  });
};

/** @throws RefloatError component.unknown naming what exists */
export const requireComponents = (service: ServiceDeclaration, names: readonly string[]): void => {
  const known = Object.keys(service.components);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new RefloatError("component.unknown", `service ${service.name} has no component "${unknown}"`, {
    hint: suggestWord(unknown, known, `there are ${known.join(", ")}`),
    nextCommand: `refloat points ${service.name}`,
  });
};
