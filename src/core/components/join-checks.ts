/** One check of a kind that several technologies know: who is asked follows from the outputs of the component. */
import { RefloatError } from "../../model/refloat-error.ts";
import type { CheckDriver } from "../ports/driver.ts";

/** @param technologies by name, each with a check of the same kind and the same keys that says whom it can ask */
export const joinChecks = (technologies: ReadonlyMap<string, CheckDriver>): CheckDriver => {
  const checks = [...technologies.values()];
  const [first] = checks;
  if (first === undefined || checks.some(({ answers }) => answers === undefined))
    throw new RefloatError("bug", `two drivers claim the kind of check "${first?.kind ?? ""}"`);
  if (checks.length === 1) return first;
  return {
    ...first,
    answers: (outputs) => checks.some((check) => check.answers?.(outputs) === true),
    run: async (context, options) => {
      const check = checks.find(({ answers }) => answers?.(context.outputs) === true);
      if (check !== undefined) return check.run(context, options);
      throw new RefloatError(
        "config.invalid",
        `a ${first.kind} check belongs to a component of type ${[...technologies.keys()].join(" or ")}`,
        { hint: "put it under the checks of the database" },
      );
    },
  };
};
