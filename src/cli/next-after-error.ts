/**
 * What to type after an error whose next step is the same wherever it comes from: who throws it knows neither the command that was given nor its
 * service. A next step that the error names itself stays.
 */
import type { ErrorCode } from "../model/error-catalogue.ts";
import type { RefloatError } from "../model/refloat-error.ts";
import { retold } from "./as-typed.ts";

/** With ` SERVICE` behind it where the command was given for one. */
const nextByCode: { readonly [Code in ErrorCode]?: string } = {
  "time.unclear": "refloat points",
  "secret.unavailable": "refloat validate --live",
  "source.denied": "refloat validate --live",
  "source.unreachable": "refloat validate --live",
};

/** Old sides that nobody has dropped take the room: the list of runs tells which. */
const nextWithoutService: { readonly [Code in ErrorCode]?: string } = { "plan.no-space": "refloat runs" };

/** @param service that the command was given for; null where it names none */
export const withNextStep = (error: RefloatError, service: string | null): RefloatError => {
  if (error.nextCommand !== undefined) return error;
  const general = nextByCode[error.code];
  const nextCommand =
    general === undefined ? nextWithoutService[error.code] : `${general}${service === null ? "" : ` ${service}`}`;
  return nextCommand === undefined ? error : retold(error, { nextCommand });
};
