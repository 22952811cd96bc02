/**
 * Drives runs of several services as one graph. Each is driven as one alone is, with its own stages, end and undo; what they share is the queue.
 * One that does not succeed ends those that wait for it, once they have done all that does not.
 */
import { jointId, jointQueue, laneOf, ownId } from "../core/run/joint-graph.ts";
import type { StepId } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import type { RunRecord } from "../model/run.ts";
import { type DriveOptions, driveForward, mayGoForward } from "./drive-run.ts";
import { expectedMs, stepsLeft } from "./go-forward.ts";
import { JointLanes } from "./joint-lanes.ts";

export type JointMember = {
  readonly driven: DriveOptions;
  /** Of a run that is taken up again: as it was found. */
  readonly before: RunRecord | null;
};

/** A run that was begun together with these and is not taken up. */
export type SettledMember = {
  readonly record: RunRecord;
  readonly plan: Plan;
  /** What waits for its service may go on. */
  readonly isThere: boolean;
};

export type JointOptions = {
  readonly members: readonly JointMember[];
  readonly settled: readonly SettledMember[];
  readonly concurrency: number;
  /** Called when a member has come to its end for now. */
  readonly finish: (driven: DriveOptions) => Promise<void>;
  /** Of a member that was taken up and did not go forward: is its service there all the same? */
  readonly standsAnyway: (driven: DriveOptions) => Promise<boolean>;
  /** Aborted when one of them is broken for this process. */
  readonly broken: AbortController;
};

/** @throws what broke one of them, after all have come to rest */
export const driveJointly = async ({
  members,
  settled,
  concurrency,
  finish,
  standsAnyway,
  broken,
}: JointOptions): Promise<void> => {
  const whole = async <Result>(act: Promise<Result>): Promise<Result> => {
    try {
      return await act;
    } catch (error) {
      broken.abort(error);
      throw error;
    }
  };
  const ways = await allSettled(
    members.map(async ({ driven, before }): Promise<Way> => {
      if (before === null || (await whole(mayGoForward(driven, before)))) return "forward";
      await whole(finish(driven));
      return (await standsAnyway(driven)) ? "there" : "ended";
    }),
  );
  const left = new Set<StepId>();
  const add = (service: string, steps: Iterable<StepId>): void => {
    for (const id of steps) left.add(jointId(service, id));
  };
  for (const [index, { driven }] of members.entries()) {
    if (ways[index] === "forward") add(serviceOf(driven), await stepsLeft(driven.live));
    // Begun by nobody, and in the way of all that waits for them.
    else if (ways[index] === "ended") add(serviceOf(driven), driven.live.graph.order);
  }
  for (const { plan, isThere: there } of settled)
    if (!there)
      add(
        plan.intent.service,
        plan.intent.steps.map(({ id }) => id),
      );
  const plans = [...settled.map(({ plan }) => plan), ...members.map(({ driven }) => driven.live.plan)];
  const lives = new Map(members.map(({ driven }) => [serviceOf(driven), driven.live]));
  const parts = plans.map(({ intent }) => intent);
  const { queue } = jointQueue(parts, {
    steps: left,
    concurrency,
    durationMs: (id) => {
      const live = lives.get(laneOf(id));
      return live === undefined ? 0 : expectedMs(live, ownId(id));
    },
  });
  const lanes = new JointLanes(queue, parts, left);
  for (const { record, isThere } of settled) lanes.end(record, isThere);
  await allSettled(
    members.map(async ({ driven }, index) => {
      const lane = lanes.lane(serviceOf(driven));
      try {
        if (ways[index] === "forward") {
          await whole(driveForward({ ...driven, lane }));
          await whole(finish(driven));
        }
      } finally {
        lanes.end(driven.live.record, ways[index] === "there" || isThere(driven));
      }
    }),
  );
};

/** `there`: it has ended, and its service works all the same. */
type Way = "forward" | "there" | "ended";

const serviceOf = ({ live }: DriveOptions): string => live.plan.intent.service;

/** It was brought there, or it was found that it works and need not be. */
const isThere = ({ live, isLeftAlone }: DriveOptions): boolean => live.record.state === "succeeded" || isLeftAlone();

/** @throws the first error, after all have settled */
const allSettled = async <Result>(acts: readonly Promise<Result>[]): Promise<readonly Result[]> => {
  const ends = await Promise.allSettled(acts);
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
};
