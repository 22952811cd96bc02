/** A component of a point as a source of rows, named as people name points. */
import { shortId } from "../../model/identifiers.ts";
import type { PointSource } from "../ports/row-mending.ts";
import type { OpenComponent } from "./open-place.ts";

export const pointSource = (
  { point, captured, tree, tables }: OpenComponent,
  replay: PointSource["replay"] = null,
): PointSource => ({
  tree,
  captured,
  tables: tables ?? [],
  replay,
  words:
    replay === null
      ? `point ${shortId(point.id)} (${point.manifest.consistentAt})`
      : `point ${shortId(point.id)} and the log up to ${replay.at}`,
});
