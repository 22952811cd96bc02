/** What was written, in a person's words. */
import { formatAmount, formatCount } from "../text/quantity.ts";

type Unit = {
  readonly name: string;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly counted?: "rows" | "keys" | undefined;
};

/** Units that drivers name for what they count, so that one of them can be told as one: a table bears whatever name it was given. */
const nouns: ReadonlySet<string> = new Set(["files", "uncommitted files", "keys", "refs", "commits", "large objects"]);

/**
 * `3 new orders`, `1 changed file`; of a unit that is not what is counted, but what holds it, `5,009 rows changed in shop`.
 * @param added said of what is new: `new `, or nothing
 */
export const describeUnit = (unit: Unit, added = ""): string => {
  const { name, counted } = unit;
  const amounts = [
    [unit.added, added, "added"],
    [unit.changed, "changed ", "changed"],
    [unit.removed, "removed ", "removed"],
  ] as const;
  return amounts
    .flatMap(([count, before, after]) => {
      if (count <= 0) return [];
      if (counted !== undefined) return [`${formatAmount(count, counted)} ${after} in ${name}`];
      return [nouns.has(name) ? formatAmount(count, `${before}${name}`) : `${formatCount(count)} ${before}${name}`];
    })
    .join(", ");
};
