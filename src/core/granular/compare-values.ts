/** Two JSON values, difference by difference, each with the path that leads to it: `components.app.start`. */
import { isDeepStrictEqual } from "node:util";
import type { Json } from "../../model/json.ts";

export type ValueDifference = {
  readonly key: string;
  /** Undefined where there was none. */
  readonly before: Json | undefined;
  readonly after: Json | undefined;
};

const isObject = (value: Json | undefined): value is Readonly<Record<string, Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function* compareValues(
  before: Json | undefined,
  after: Json | undefined,
  key = "",
): Generator<ValueDifference> {
  if (isObject(before) && isObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      yield* compareValues(before[name], after[name], key === "" ? name : `${key}.${name}`);
    }
    return;
  }
  // Keys in lists come in another order out of a point than out of the file: as text they would differ.
  if (!isDeepStrictEqual(before, after)) yield { key, before, after };
}
