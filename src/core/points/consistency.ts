/** What the observed windows of the members say about a point as a whole. */
import type { Graph } from "../../model/graph.ts";
import type { CapturedComponent, PointManifest } from "../../model/manifest.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import type { Stillness } from "../quiesce/stillness.ts";

type ConsistencyFacts = {
  readonly graph: Graph;
  readonly stillness: Stillness;
  readonly data: readonly string[];
  readonly invariants: readonly CheckOutcome[];
  /** ISO: when the capture began, for a point without members. */
  readonly beganAt: string;
};

const joins = (graph: Graph, names: readonly string[]): boolean =>
  names.length > 1 &&
  names.every((name) => graph.edges.some(({ kind, from, to }) => kind === "data" && (from === name || to === name)));

const allPassed = (outcomes: readonly CheckOutcome[]): boolean => outcomes.every(({ status }) => status === "passed");

/**
 * The point is consistent as of the earliest window's begin: with the referrers read first, whatever a row named by then was
 * read afterwards. Ordered reading proves this only for referents that are written before their referrer and never changed,
 * which nobody has proven here; so it says `proven: false`, except for a single member read as one snapshot.
 *
 * A service that stood still was asked its invariants meanwhile: where they join all that holds data and hold, no link of it is broken.
 *
 * @param data names of the members that hold data; an application's release does not
 */
export const observedConsistency = (
  members: readonly CapturedComponent[],
  { graph, stillness, data, invariants, beganAt }: ConsistencyFacts,
): Pick<PointManifest, "consistentAt" | "consistency"> => {
  // A runbook has no data that could be of two moments.
  if (members.length === 0)
    return { consistentAt: beganAt, consistency: { mode: "single", windowMs: 0, proven: true } };
  const begins = members.map(({ window }) => Date.parse(window.beginAt));
  const ends = members.map(({ window }) => Date.parse(window.endAt));
  const begin = Math.min(...begins);
  const read =
    members.length === 1 ? "single" : graph.edges.some(({ kind }) => kind === "data") ? "ordered" : "unordered";
  return {
    consistentAt: new Date(begin).toISOString(),
    consistency: {
      mode: stillness.kind === "quiesced" ? "quiesced" : read,
      windowMs: Math.max(...ends) - begin,
      proven:
        (read === "single" && members.every(({ consistency }) => consistency === "snapshot")) ||
        (stillness.kind === "quiesced" && joins(graph, data) && allPassed(invariants)),
      ...(stillness.kind === "quiesced" ? { frozen: stillness.frozen } : {}),
      ...(stillness.kind === "missed" ? { unquiesced: stillness.why } : {}),
    },
  };
};
