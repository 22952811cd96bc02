/** How long a service may be held, and whether that has been enough. */
import type { QuiesceDeclaration } from "../../model/declaration.ts";
import type { PointManifest } from "../../model/manifest.ts";
import type { PreflightReport } from "../ports/driver.ts";
import { formatAmount } from "../text/quantity.ts";
import { formatDuration, parseDuration } from "../time/duration.ts";

const usualMs = 30_000;

export const quiesceTimeMs = ({ atMost }: QuiesceDeclaration): number =>
  atMost === undefined ? usualMs : (parseDuration(atMost) ?? usualMs);

/** What is fixed at once is read in no time, by its window; all else is held as long as its part of the capture took. */
const readingMs = ({ manifest }: { readonly manifest: PointManifest }): number => {
  let begin = Date.parse(manifest.beganAt);
  let total = 0;
  for (const name of manifest.captureOrder) {
    const member = manifest.components[name];
    if (member === undefined) continue;
    const end = Date.parse(member.finishedAt);
    if (member.window.beginAt !== member.window.endAt) total += Math.max(0, end - begin);
    begin = Math.max(begin, end);
  }
  return total;
};

const recentPoints = 5;

/** @param points of the service, the newest first */
export const judgeQuiesceTime = (
  quiesce: QuiesceDeclaration,
  points: readonly { readonly manifest: PointManifest }[],
): PreflightReport["findings"][number] => {
  const atMostMs = quiesceTimeMs(quiesce);
  const subject = "atMost";
  const allowed = formatDuration(atMostMs);
  const recent = points.slice(0, recentPoints);
  if (recent.length === 0)
    return { ok: true, subject, found: `${allowed}; no capture has shown yet whether that is enough` };
  const neededMs = Math.max(...recent.map((point) => point.manifest.consistency.frozen?.heldMs ?? readingMs(point)));
  const found = `${allowed}; of the last ${formatAmount(recent.length, "captures")} the longest needed ${formatDuration(neededMs)}`;
  if (neededMs < atMostMs) return { ok: true, subject, found };
  return {
    ok: false,
    subject,
    found,
    hint: "a capture that does not end in time is not quiesced: allow more, or let fewer files lie in the service",
    only: "capture",
  };
};
