/** How much of a point is laid beside live rows. */
import { RefloatError } from "../../model/refloat-error.ts";
import { formatBytes } from "../text/quantity.ts";

/** More would fill the live server's disk with a temporary table for the sake of a few rows. */
const mostTableBytes = 10_000_000_000;

/** Where nobody has asked for a table by its name, larger ones are left out. */
export const mostUnaskedBytes = 2_000_000_000;

/** @param sizeBytes null where it is not known, which refuses nothing. @throws RefloatError source.unsupported */
export const requireLoadable = (label: string, sizeBytes: number | null): void => {
  if ((sizeBytes ?? 0) <= mostTableBytes) return;
  throw new RefloatError(
    "source.unsupported",
    `${label} has ${formatBytes(sizeBytes ?? 0)}, too much to load into what is live`,
    {
      state: "nothing was changed",
      hint: `at most ${formatBytes(mostTableBytes)}; the whole database can be recovered beside it: refloat recover --no-cutover`,
    },
  );
};
