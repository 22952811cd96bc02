/**
 * Tells what looks like damage from what looks like work: a service that is used differs from each of its points. Pure. A sign is a reason to look,
 * never a proof; what shows none is told all the same.
 */
import type { MendedTable } from "../../model/mend.ts";
import { formatAmount, formatCount } from "../text/quantity.ts";

/** Fewer rows that happen to have one value are no pattern. */
const fewestAlike = 10;
/** Of the rows that differ, so many have the same live value. */
const alikeShare = 0.9;
/** So many values that became one: an order that is paid was new before, and all orders that are paid were. */
const fewestBefore = 3;
/** Of the rows that the point has, so many differ. */
const manyShare = 0.5;

export type DamageSign = {
  /** In a person's words: `price is 0.00 in all of 18,204 changed rows`. */
  readonly words: string;
  /** What it is about: whole rows that are gone, one column, or rows that differ in one way or another. */
  readonly about: "gone" | "column" | "changed";
  /** Of `column`. */
  readonly column: string | null;
  /** Rows that a cure of it puts back, and those among them that do not show the sign. */
  readonly rows: number;
  readonly others: number;
};

const shown = (value: string | null): string =>
  value === null ? "null" : value === "" ? "empty" : value.length > 30 ? `${value.slice(0, 30)}...` : value;

const alike = ({ name, rows, mostly, distinctBefore }: MendedTable["columns"][number]): DamageSign | null => {
  if (rows < fewestAlike || mostly.rows < rows * alikeShare || distinctBefore < fewestBefore) return null;
  const how =
    mostly.rows === rows ? `all of ${formatCount(rows)}` : `${formatCount(mostly.rows)} of ${formatCount(rows)}`;
  const words = `${name} is ${shown(mostly.value)} in ${how} changed rows`;
  return { words, about: "column", column: name, rows, others: rows - mostly.rows };
};

/** @returns the signs of a table that was compared row by row, the worst first */
export const damageSigns = ({ equal, changed, gone, columns }: MendedTable): readonly DamageSign[] => {
  const captured = equal + changed + gone;
  const byColumn = columns.map(alike).filter((sign) => sign !== null);
  const sign = (about: "gone" | "changed", rows: number, words: string): DamageSign => ({
    words,
    about,
    column: null,
    rows,
    others: about === "gone" ? 0 : rows,
  });
  const many = byColumn.length === 0 && changed >= fewestAlike && changed > captured * manyShare;
  return [
    ...(gone === 0 ? [] : [sign("gone", gone, `${formatCount(gone)} of ${formatAmount(captured, "rows")} gone`)]),
    ...byColumn,
    ...(many ? [sign("changed", changed, `${formatCount(changed)} of ${formatAmount(captured, "rows")} differ`)] : []),
  ];
};
