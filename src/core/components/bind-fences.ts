/**
 * Looks up what the lines of `fence:` refer to and what can be known before the run: secrets, and what is provisioned already. Found missing in the
 * cutover, it would leave the old side acknowledging writes while somebody looks for it. What a component puts out is bound when it is fenced off:
 * it may be another by then. What the plan provisions is there by then.
 */
import { toJsonObject } from "../../model/json.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import { findReferences } from "../declaration/template.ts";
import type { ComponentAccess } from "./component-access.ts";

/**
 * @param byWord a secret that is not there is no refusal, but leaves that entry to a person who can attest that the old side is dead: of a vault
 * alone, where nobody could change what is declared
 * @returns by name of the entry, why its command cannot be used
 * @throws RefloatError plan.impossible naming the entry and what it refers to
 */
export const bindFences = async (
  { bind }: Pick<ComponentAccess, "bind">,
  { name: service, fence = [], provision = {} }: Pick<ServiceDeclaration, "name" | "fence" | "provision">,
  { byWord }: { readonly byWord: boolean },
): Promise<Readonly<Record<string, string>>> => {
  const unusable: Record<string, string> = {};
  for (const declared of fence)
    for (const { part } of findReferences(toJsonObject(declared))) {
      const isKnown = part.kind === "secret" || (part.kind === "output" && provision[part.component] !== undefined);
      if (!isKnown) continue;
      try {
        await bind(null)(part.source);
      } catch (error) {
        const { code, message, hint } = toRefloatError(error);
        if (code === "provision.absent") continue;
        if (code === "bug" || code === "interrupted") throw error;
        if (byWord && code === "secret.unavailable") {
          unusable[declared.name] = message;
          continue;
        }
        throw new RefloatError("plan.impossible", `${declared.name} could not be fenced off: ${message}`, {
          cause: error,
          state: "nothing was changed",
          hint: hint ?? `fence: refers to ${part.source}, which must be known before a cutover`,
          context: { fence: declared.name, reference: part.source },
          nextCommand: `refloat validate --live ${service}`,
        });
      }
    }
  return unusable;
};
