/** The lines by which a service is held. */
import type { QuiesceDeclaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";

export type QuiesceLines = { readonly freeze: string; readonly thaw: string };

/** @param quiesce of a service that is held by lines, which its reading has seen to be two */
export const linesOf = ({ freeze, thaw }: QuiesceDeclaration): QuiesceLines => {
  if (freeze === undefined || thaw === undefined)
    throw new RefloatError("bug", "there are no lines to freeze and thaw by");
  return { freeze, thaw };
};
