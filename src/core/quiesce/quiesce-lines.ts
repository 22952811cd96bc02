/** The lines by which a service is held: those that it declares, or those that freeze and thaw its file system. */
import type { QuiesceDeclaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";

export type QuiesceLines = { readonly freeze: string; readonly thaw: string };

/** For people and records: what the lines below do. */
const words = (path: string): QuiesceLines => ({
  freeze: `fsfreeze --freeze ${path}`,
  thaw: `fsfreeze --unfreeze ${path}`,
});

/** What is not frozen answers "Invalid argument", and is as it should be. */
const filesystemLines: QuiesceLines = {
  freeze: 'exec fsfreeze --freeze "$REFLOAT_FILESYSTEM"',
  thaw: 'said=$(LC_ALL=C fsfreeze --unfreeze "$REFLOAT_FILESYSTEM" 2>&1) || case $said in *"Invalid argument"*) ;; *) echo "$said"; exit 1 ;; esac',
};

/** @param quiesce of a service that is not held by a lock */
export const linesOf = ({ freeze, thaw, filesystem }: QuiesceDeclaration): QuiesceLines => {
  if (filesystem !== undefined) return filesystemLines;
  if (freeze === undefined || thaw === undefined)
    throw new RefloatError("bug", "there are no lines to freeze and thaw by");
  return { freeze, thaw };
};

/** As a person would write them. */
export const lineWords = (quiesce: QuiesceDeclaration): QuiesceLines =>
  quiesce.filesystem === undefined ? linesOf(quiesce) : words(quiesce.filesystem);
