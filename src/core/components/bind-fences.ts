/**
 * Looks up what the lines of `fence:` refer to and what can be known before the run: secrets, and what is provisioned already. Found missing in the
 * cutover, it would leave the old side acknowledging writes while somebody looks for it. What a component puts out is bound when it is fenced off:
 * it may be another by then. What the plan provisions is there by then.
 */
import { toJsonObject } from "../../model/json.ts";
import type { FenceDeclaration, ServiceDeclaration } from "../../model/declaration.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import { findReferences } from "../declaration/template.ts";
import type { ComponentAccess } from "./component-access.ts";

/** What is missing of an entry of `fence:`. */
export type Unfenced = {
  /** Why its command cannot be used: a person has to attest that it is dead. */
  readonly why: string;
  /** Its proof can be asked all the same: what is missing is for its other lines. */
  readonly isProven: boolean;
};

const isOfProof = ({ proof, environment }: FenceDeclaration, source: string): boolean =>
  findReferences(toJsonObject({ proof: proof ?? "", environment: environment ?? {} })).some(
    ({ part }) => part.source === source,
  );

/**
 * @param byWord a secret that is not there is no refusal, but leaves that entry to a person who can attest that the old side is dead: of a vault
 * alone, where nobody could change what is declared
 * @returns by name of the entry
 * @throws RefloatError plan.impossible naming the entry and what it refers to
 */
export const bindFences = async (
  { bind }: Pick<ComponentAccess, "bind">,
  { name: service, fence = [], provision = {} }: Pick<ServiceDeclaration, "name" | "fence" | "provision">,
  { byWord }: { readonly byWord: boolean },
): Promise<Readonly<Record<string, Unfenced>>> => {
  const unusable: Record<string, Unfenced> = {};
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
          const before = unusable[declared.name];
          unusable[declared.name] = {
            why: before?.why ?? message,
            isProven: (before?.isProven ?? declared.proof !== undefined) && !isOfProof(declared, part.source),
          };
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
