/** A component of a point as a source of rows, named as people name points. */
import { shortId } from "../../model/identifiers.ts";
import type { PointSource } from "../ports/row-mending.ts";
import type { OpenComponent } from "./open-place.ts";

export const pointSource = ({ point, captured, tree, tables }: OpenComponent): PointSource => ({
  tree,
  captured,
  tables: tables ?? [],
  words: `point ${shortId(point.id)} (${point.manifest.consistentAt})`,
});
