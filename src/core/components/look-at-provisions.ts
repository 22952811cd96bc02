/** Looks at what a service is provisioned with, for the planner: what is there, and what a recovery would make. Changes nothing. */
import { RefloatError } from "../../model/refloat-error.ts";
import type { LiveProvision } from "../planner/planner-input.ts";
import { type Settling, settlingOf } from "./settled-differences.ts";
import type { ComponentAccess } from "./component-access.ts";

/**
 * @param names of entries, in the order in which they are provisioned
 * @throws RefloatError plan.impossible for one that is half there; instance.exists, program.missing: found now rather than in the night's work
 */
export const lookAtProvisions = async (
  access: ComponentAccess,
  names: readonly string[],
): Promise<Readonly<Record<string, LiveProvision>>> => {
  const provisions: Record<string, LiveProvision> = {};
  for (const name of names) provisions[name] = await lookAt(access, name);
  return provisions;
};

const lookAt = async (access: ComponentAccess, name: string): Promise<LiveProvision> => {
  const { driver, context } = await access.provision(name);
  try {
    const sight = await driver.inspect(context);
    if (sight.presence === "done") {
      const by = sight.owner === null ? "" : `, made by run ${sight.owner.run}`;
      return { presence: "done", what: `${sight.found}${by}: used as it is`, detail: [] };
    }
    if (sight.presence === "partial") throw halfThere(name, sight);
    return { presence: "absent", ...(await driver.preview(context)) };
  } catch (error) {
    const awaited =
      error instanceof RefloatError && error.code === "provision.absent" ? error.context["provision"] : null;
    if (typeof awaited !== "string") throw error;
    return { presence: "absent", what: `what it will be is seen once ${awaited} is there`, detail: [] };
  }
};

/** What entries would settle of fingerprints, by subject; nothing of one that cannot be looked at, which is told by itself. */
export const settledDifferences = async (access: ComponentAccess, names: readonly string[]): Promise<Settling> => {
  const provisions: Record<string, LiveProvision> = {};
  for (const name of names) {
    try {
      provisions[name] = await lookAt(access, name);
    } catch (error) {
      if (!(error instanceof RefloatError) || error.code === "bug") throw error;
    }
  }
  return settlingOf(provisions);
};

const halfThere = (
  name: string,
  { owner, found }: { readonly owner: { readonly run: number } | null; readonly found: string },
): RefloatError =>
  new RefloatError("plan.impossible", `${name} is half there: ${found}`, {
    state: "nothing was changed",
    ...(owner === null
      ? { hint: "Refloat has not made it and does not remove it: make it whole, or remove it by hand" }
      : { hint: `run ${owner.run} had begun to make it`, nextCommand: `refloat resume ${owner.run}` }),
  });
