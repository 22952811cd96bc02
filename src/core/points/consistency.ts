/** What the observed windows of the members say about a point as a whole. */
import type { Graph } from "../../model/graph.ts";
import type { CapturedComponent, PointManifest } from "../../model/manifest.ts";

/**
 * The point is consistent as of the earliest window's begin: with the referrers read first, whatever a row named by then was
 * read afterwards. Ordered reading proves this only for referents that are written before their referrer and never changed,
 * which nobody has proven here; so it says `proven: false`, except for a single member read as one snapshot.
 */
export const observedConsistency = (
  members: readonly CapturedComponent[],
  graph: Graph,
): Pick<PointManifest, "consistentAt" | "consistency"> => {
  const begins = members.map(({ window }) => Date.parse(window.beginAt));
  const ends = members.map(({ window }) => Date.parse(window.endAt));
  const begin = Math.min(...begins);
  const mode =
    members.length === 1 ? "single" : graph.edges.some(({ kind }) => kind === "data") ? "ordered" : "unordered";
  return {
    consistentAt: new Date(begin).toISOString(),
    consistency: {
      mode,
      windowMs: Math.max(...ends) - begin,
      proven: mode === "single" && members.every(({ consistency }) => consistency === "snapshot"),
    },
  };
};
