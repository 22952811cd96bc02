/** A report of writes in a person's words: `3 new orders, 1,662 changed products; may be more: audit.log cannot be read`. */
import type { WriteReport } from "../ports/driver.ts";
import { formatCount, formatList } from "../text/quantity.ts";

export const describeWrites = ({ units, gaps }: Pick<WriteReport, "units" | "gaps">): string => {
  const written = units
    .flatMap(({ name, added, changed, removed }) => [
      ...(added > 0 ? [`${formatCount(added)} new ${name}`] : []),
      ...(changed > 0 ? [`${formatCount(changed)} changed ${name}`] : []),
      ...(removed > 0 ? [`${formatCount(removed)} removed ${name}`] : []),
    ])
    .join(", ");
  if (gaps.length === 0) return written;
  return `${written === "" ? "" : `${written}; `}may be ${written === "" ? "some" : "more"}: ${formatList(gaps)}`;
};
