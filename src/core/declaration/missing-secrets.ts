/** Which secrets that a recovery would need cannot be read on this machine: told all at once, before anything runs. */
import type { Workbench } from "../ports/workbench.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import { declaredTexts } from "./declared-texts.ts";
import { findReferences } from "./template.ts";

/**
 * @param components those that are recovered
 * @throws RefloatError secret.unavailable naming each with its place, the reason, and how to give it
 */
export const requireSecrets = async (
  bench: Pick<Workbench, "readSecret">,
  service: ServiceDeclaration,
  components: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  const places = declaredTexts(service).flatMap(({ section, name, value }) => {
    // Those of a fence leave it to the word of a person, as the plan says.
    if (section === "quiesce" || section === "fence" || (section === "components" && !components.includes(name ?? "")))
      return [];
    return [{ at: section === "invariants" ? `invariant ${name}` : (name ?? section), value }];
  });
  const asked = new Map<string, Set<string>>();
  for (const { at, value } of places) {
    for (const { part } of findReferences(value))
      if (part.kind === "secret") asked.set(part.reference, (asked.get(part.reference) ?? new Set()).add(at));
  }
  const missing: string[] = [];
  for (const [reference, users] of asked) {
    try {
      await bench.readSecret(reference, signal);
    } catch (error) {
      signal.throwIfAborted();
      missing.push(
        `\${${reference}} (${[...users].join(", ")}): ${wayToGive(reference, toRefloatError(error).message)}`,
      );
    }
  }
  if (missing.length === 0) return;
  throw new RefloatError(
    "secret.unavailable",
    `${missing.length} ${missing.length === 1 ? "secret" : "secrets"} of ${service.name} cannot be read on this machine: ${missing.join("; ")}`,
    {
      context: { missing: [...asked.keys()].filter((reference) => missing.some((text) => text.includes(reference))) },
      state: "nothing was changed",
      hint: "a point holds references, never the secrets: bring them from where you keep them, or out of an escrow bundle (vault escrow open)",
    },
  );
};

const wayToGive = (reference: string, why: string): string => {
  const [scheme, rest] = [reference.slice(0, reference.indexOf(":")), reference.slice(reference.indexOf(":") + 1)];
  if (scheme === "file") return `write it to ${rest}, readable by you only`;
  return scheme === "env" ? `export ${rest}=...` : why;
};
