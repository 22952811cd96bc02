/** What a declaration takes from elsewhere as secrets: what a recovery will ask for. */
import type { Declaration } from "../../model/declaration.ts";
import { toJsonObject } from "../../model/json.ts";
import { findReferences } from "../declaration/template.ts";

/** @returns the insides of `${...}` of all services, each once, in the order of the file; those of the vault itself are needed before it */
export const declaredSecrets = ({ services }: Pick<Declaration, "services">): readonly string[] => [
  ...new Set(
    findReferences(toJsonObject(services)).flatMap(({ part }) => (part.kind === "secret" ? [part.reference] : [])),
  ),
];
