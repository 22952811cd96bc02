/** A report of writes in a person's words: `3 new orders, 1,662 changed products; may be more: audit.log cannot be read`. */
import type { WriteReport } from "../ports/driver.ts";
import { formatList } from "../text/quantity.ts";
import { describeUnit } from "./describe-unit.ts";

export const describeWrites = ({ units, gaps }: Pick<WriteReport, "units" | "gaps">): string => {
  const written = units
    .map((unit) => describeUnit(unit, "new "))
    .filter((told) => told !== "")
    .join(", ");
  if (gaps.length === 0) return written;
  return `${written === "" ? "" : `${written}; `}may be ${written === "" ? "some" : "more"}: ${formatList(gaps)}`;
};
