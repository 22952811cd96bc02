/** What hangs on a service and who is asked when it is away: `critical; owners: dba and web`. Null when the file does not say. */
import { formatList } from "../text/quantity.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";

export const describeStake = ({
  criticality,
  owners,
}: Pick<ServiceDeclaration, "criticality" | "owners">): string | null => {
  const parts = [
    ...(criticality === undefined ? [] : [criticality]),
    ...(owners.length === 0 ? [] : [`owners: ${formatList(owners, 6)}`]),
  ];
  return parts.length === 0 ? null : parts.join("; ");
};
