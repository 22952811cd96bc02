/** A way home leads between two places of one service: both are made of the same components, and are two. */
import { isDeepStrictEqual } from "node:util";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { toJsonObject } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { RunRecord } from "../../model/run.ts";
import { formatList } from "../text/quantity.ts";

/** @throws RefloatError plan.impossible */
export const refuseUnlike = (home: ServiceDeclaration, away: ServiceDeclaration, led: RunRecord): void => {
  if (isDeepStrictEqual(toJsonObject(home.components), toJsonObject(away.components))) {
    throw new RefloatError("plan.impossible", `run ${led.number} recovered ${home.name} here: there is no way home`, {
      state: "nothing was changed",
      hint: "its undo puts the old side back; or name the file of home: --config",
      nextCommand: `refloat undo ${led.number}`,
    });
  }
  const differences = [
    ...Object.keys(away.components)
      .filter((name) => home.components[name] === undefined)
      .map((name) => `${name} is declared there and not here`),
    ...Object.keys(home.components)
      .filter((name) => away.components[name] === undefined)
      .map((name) => `${name} is declared here and not there`),
    ...Object.values(home.components).flatMap(({ name, type }) => {
      const there = away.components[name]?.type;
      return there === undefined || there === type ? [] : [`${name} is ${type} here and ${there} there`];
    }),
  ];
  if (differences.length === 0) return;
  throw new RefloatError("plan.impossible", `the two sides are not of one service: ${formatList(differences, 4)}`, {
    state: "nothing was changed",
    hint: `a point made there could not be restored here as it is; declare the same components in both files`,
    nextCommand: `refloat validate ${home.name}`,
  });
};
