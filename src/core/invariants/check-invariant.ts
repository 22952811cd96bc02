/** Asks one declared invariant of whatever its two components stand for now. */
import type { InvariantDeclaration } from "../../model/declaration.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ComponentAccess, Locate } from "../components/component-access.ts";
import type { Clock } from "../ports/environment.ts";
import { compareSets } from "./compare-sets.ts";

/** The component and the expression of one side. Each side names exactly one; the schema sees to it. */
export const invariantSide = (
  side: Readonly<Record<string, string>>,
): { readonly component: string; readonly expression: string } => {
  const [entry] = Object.entries(side);
  if (entry === undefined) throw new RefloatError("bug", "an invariant's side names no component");
  return { component: entry[0], expression: entry[1] };
};

export const checkInvariant = async (
  name: string,
  invariant: InvariantDeclaration,
  access: ComponentAccess,
  locate: Locate,
  clock: Clock,
): Promise<CheckOutcome> => {
  const began = clock.monotonicMs();
  const values = async (side: Readonly<Record<string, string>>) => {
    const { component, expression } = invariantSide(side);
    const driver = access.driver(component);
    if (driver.invariantValues === undefined) {
      throw new RefloatError(
        "source.unsupported",
        `invariant ${name} asks ${component} for values, which type ${driver.type} cannot give`,
      );
    }
    return driver.invariantValues(await access.context(component), expression, locate(component)?.name ?? null);
  };
  const compared = await compareSets(await values(invariant.every), await values(invariant.in));
  const count = (value: number): string => value.toLocaleString("en-US");
  const orphans = compared.orphans === 0 ? "" : `, ${count(compared.orphans)} orphans`;
  return {
    subject: `invariant ${name}`,
    kind: "invariant",
    status: compared.broken === 0 ? "passed" : "failed",
    found:
      compared.broken === 0
        ? `${count(compared.every)} links hold${orphans}`
        : `${count(compared.broken)} of ${count(compared.every)} links are broken, such as ${compared.brokenSamples.join(", ")}${orphans}`,
    durationMs: clock.monotonicMs() - began,
  };
};
