/** What the two sides of a declared invariant name. */
import type { InvariantDeclaration, InvariantSide, SetDeclaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { findReferences } from "../declaration/template.ts";

/** The component of one side, and what is asked: of its own driver when it is text. Each side names exactly one; the schema sees to it. */
export const invariantSide = (
  side: InvariantSide,
): { readonly component: string; readonly asked: string | SetDeclaration } => {
  const [entry] = Object.entries(side);
  if (entry === undefined) throw new RefloatError("bug", "an invariant's side names no component");
  return { component: entry[0], asked: entry[1] };
};

/** The component alone. */
export const sideOf = (side: InvariantSide): string => Object.keys(side)[0] ?? "";

/** Components that must be there to ask both sides: their own, and those whose addresses their sets name (`${app.url}`). Each once. */
export const componentsAsked = ({ every, in: within }: InvariantDeclaration): readonly string[] => [
  ...new Set(
    [every, within]
      .map(invariantSide)
      .flatMap(({ component, asked }) => [
        component,
        ...(typeof asked === "string" ? [] : findReferences(asked.options)).flatMap(({ part }) =>
          part.kind === "output" && part.component !== "self" ? [part.component] : [],
        ),
      ]),
  ),
];
