/** timeline: what happened to a service, from the vault and this machine's journal. Changes nothing. */
import { findService } from "../core/declaration/find-service.ts";
import { reachableRanges } from "../core/logs/reachable-ranges.ts";
import { composePoints } from "../core/points/compose-points.ts";
import { readMoment } from "../core/points/named-moment.ts";
import { rememberSeen } from "../core/points/seen-points.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { allRunMoments } from "../core/run/known-run-moments.ts";
import { readLogChanges } from "../core/timeline/log-changes.ts";
import { type Timeline, buildTimeline } from "../core/timeline/build-timeline.ts";

export type TimelineRequest = {
  readonly service: string;
  /** As typed: a time, or what a mark is called. */
  readonly since: string | null;
  /** Read the received logs for what changed most. */
  readonly changes: boolean;
};

/** @throws RefloatError service.unknown, time.unclear, mark.unknown */
export const readTimeline = async (
  bench: Workbench,
  { service: typed, since, changes }: TimelineRequest,
  signal: AbortSignal,
): Promise<Timeline> => {
  const service = findService(await bench.declaration(), typed);
  const { points, holds, marks, incidents, logs } = await bench.vault();
  const [now, { timeZone }] = [bench.clock.now(), bench.host];
  const named = await marks.list(service.name);
  const begin = since === null ? null : readMoment(since, { now, timeZone }, named, service.name);
  const all = await points.list();
  const own = all.filter(({ manifest }) => manifest.service === service.name);
  const spans = await logs.spans(service.name);
  const timeline = buildTimeline({
    service,
    points: all,
    chain: (await points.chain()).points,
    verified: (await rememberSeen(bench, all)).verified,
    holds: await holds.list(),
    marks: named,
    incidents: await incidents.list(service.name),
    runs: await allRunMoments(bench, service.name),
    logs: spans,
    reachable: reachableRanges(bench, composePoints(own), spans),
    since: begin,
    now: now.toISOString(),
    timeZone,
  });
  if (!changes) return timeline;
  return { ...timeline, changes: await readLogChanges(bench, { service, since: timeline.since, signal }) };
};
