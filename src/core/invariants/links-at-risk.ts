/**
 * Invariants that going back with one side only can break: the side that names is kept, the side that is named is recovered. A link that
 * breaks is of a row that is newer than the point exactly where the invariant held when the point was taken: all that was named
 * then is in the point.
 */
import type { ServiceDeclaration, SetDeclaration } from "../../model/declaration.ts";
import type { PointManifest } from "../../model/manifest.ts";
import { invariantSide } from "./invariant-sides.ts";

export type LinkAtRisk = {
  readonly invariant: string;
  readonly every: { readonly component: string; readonly asked: string | SetDeclaration };
  readonly within: { readonly component: string; readonly asked: string | SetDeclaration };
};

/** @param recovered components of the recovery */
export const linksAtRisk = (
  service: ServiceDeclaration,
  manifest: PointManifest,
  recovered: readonly string[],
): readonly LinkAtRisk[] =>
  Object.entries(service.invariants).flatMap(([invariant, declared]) => {
    const every = invariantSide(declared.every);
    const within = invariantSide(declared.in);
    const isApart = recovered.includes(within.component) && !recovered.includes(every.component);
    const held = manifest.invariants.some(
      ({ subject, status }) => subject === `invariant ${invariant}` && status === "passed",
    );
    return isApart && held ? [{ invariant, every, within }] : [];
  });
