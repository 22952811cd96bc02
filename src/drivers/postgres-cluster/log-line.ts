/** What positions of a cluster's log can be compared within, and from where a captured point can be rolled forward. */
import { positionAfter } from "../../core/logs/log-position.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { capturedDetailSchema } from "./cluster-facts.ts";
import { segmentAfter } from "./log-feed.ts";

export const lineOf = (systemIdentifier: string, timeline: number): string => `${systemIdentifier}/${timeline}`;

/** @returns null for a line of another server */
export const timelineOf = (line: string, systemIdentifier: string): number | null => {
  const [own, timeline] = line.split("/");
  return own === systemIdentifier && timeline !== undefined ? Number(timeline) : null;
};

/** What comes before it is in the point itself. */
export const logStartOf = ({ facts }: CapturedComponent): { readonly line: string; readonly from: string } => {
  const { systemIdentifier, timeline, endLsn, walSegmentBytes } = capturedDetailSchema.parse(facts.detail);
  const from = positionAfter(segmentAfter(endLsn, walSegmentBytes) * BigInt(walSegmentBytes));
  return { line: lineOf(systemIdentifier, timeline), from };
};
