/** A table whose rows were compared: the signs of damage that they show, and what would mend it. Pure. */
import type { AssessedTable } from "../../model/assessment.ts";
import type { MendedTable } from "../../model/mend.ts";
import { type DamageSign, damageSigns } from "./damage-signs.ts";

/** What puts back all that shows a sign, and as little else as can be. */
const cureOf = (signs: readonly DamageSign[]): AssessedTable["cure"] => {
  if (signs.length === 0) return null;
  const gone = signs.find(({ about }) => about === "gone")?.rows ?? 0;
  const changed = signs.filter(({ about }) => about !== "gone");
  const columns = changed.flatMap(({ column }) => column ?? []);
  const most = (figure: (sign: DamageSign) => number): number => Math.max(0, ...changed.map(figure));
  return {
    rows: gone + most(({ rows }) => rows),
    kinds: [...(changed.length === 0 ? [] : ["changed" as const]), ...(gone === 0 ? [] : ["gone" as const])],
    columns: columns.length === 0 ? null : columns,
    others: most(({ others }) => others),
  };
};

export const seenTable = (
  base: Pick<AssessedTable, "name" | "kind" | "before" | "after">,
  rows: MendedTable,
): AssessedTable => {
  const signs = damageSigns(rows);
  return { ...base, rows, unseen: null, signs: signs.map((sign) => sign.words), cure: cureOf(signs) };
};
