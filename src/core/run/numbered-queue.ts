/**
 * Which step may begin next, by its number in a layout, within the limits of how many run at once. Keeps count of what each step still waits for, so that a plan of
 * many thousand steps costs time in proportion to its edges.
 *
 * Among steps that may begin: the higher priority; then what the rest of the run waits for longest, be it the longest way that begins with
 * the step or the work that a narrow limit still has before it; then the one that itself keeps that limit busy; then the plan's order.
 */
import type { QueueLayout, Stage, StepGroup } from "./queue-layout.ts";

/** How long steps take, by their number in the layout. */
export type StepTimes = {
  readonly durationMs: Float64Array;
  /** From the step's begin to the end of all that waits for it. */
  readonly remainingMs: Float64Array;
};

/** Steps of a group that could begin so far, by number, those that were taken first. */
type FreeSteps = { readonly group: StepGroup; readonly steps: number[]; taken: number };

type Lane = {
  /** By stage, groups with steps that wait for nothing but their stage and a free place. */
  readonly free: readonly [Set<FreeSteps>, Set<FreeSteps>, Set<FreeSteps>];
  readonly unfinished: [number, number, number];
};

export class NumberedQueue {
  readonly layout: QueueLayout;
  readonly durationMs: Float64Array;
  readonly #remainingMs: Float64Array;
  /** What is left from each step on, less the share of its narrowest limit that it takes. */
  readonly #lengthMs: Float64Array;
  /** By step, for how many others it still waits. */
  readonly #waits: Uint32Array;
  readonly #lanes = new Map<string, Lane>();
  /** By group. */
  readonly #free: readonly FreeSteps[];
  /** By limit: steps that run. */
  readonly #used: number[];
  /** By limit: expected work of the steps that have not begun. */
  readonly #backlogMs: number[];

  constructor(layout: QueueLayout, { durationMs, remainingMs }: StepTimes) {
    const { capacities, groups, groupOf } = layout;
    this.layout = layout;
    this.durationMs = durationMs;
    this.#remainingMs = remainingMs;
    this.#waits = layout.waits.slice();
    this.#free = groups.map((group) => ({ group, steps: [], taken: 0 }));
    this.#used = capacities.map(() => 0);
    this.#backlogMs = capacities.map(() => 0);
    for (const { lane } of groups)
      if (!this.#lanes.has(lane))
        this.#lanes.set(lane, { free: [new Set(), new Set(), new Set()], unfinished: [0, 0, 0] });
    const shares = groups.map(({ own }) => narrowestOf(own, capacities));
    this.#lengthMs = remainingMs.map(
      (ms, step) => ms - (durationMs[step] ?? 0) / (shares[groupOf[step]?.index ?? 0] ?? 1),
    );
    for (const [step, group] of groupOf.entries()) {
      const lane = this.#lanes.get(group.lane);
      if (lane !== undefined) lane.unfinished[group.stage] += 1;
      for (const limit of group.own) this.#addBacklog(limit, durationMs[step] ?? 0);
    }
    for (const [step, waits] of this.#waits.entries()) if (waits === 0) this.#release(step);
  }

  /** The stage whose steps may begin now, of the lane that is furthest back; null when all are complete. */
  get stage(): Stage | null {
    const stages = [...this.#lanes.keys()].flatMap((lane) => this.stageIn(lane) ?? []);
    if (stages.length === 0) return null;
    return this.layout.order === "forward" ? least(stages) : greatest(stages);
  }

  stageIn(lane: string): Stage | null {
    const { unfinished = [0, 0, 0] } = this.#lanes.get(lane) ?? {};
    const inOrder = this.layout.order === "forward" ? stages : backwards;
    return inOrder.find((stage) => unfinished[stage] > 0) ?? null;
  }

  /** Could a step of the lane begin, but for the limits? */
  hasFreeIn(lane: string): boolean {
    const stage = this.stageIn(lane);
    return stage !== null && (this.#lanes.get(lane)?.free[stage].size ?? 0) > 0;
  }

  /**
   * The next step that may begin, which counts against its limits from now on; undefined when none may.
   * @param from lanes of which one may begin; all when left out
   * @param only and of them the one that it must be of, or nothing is taken
   */
  take(from: Iterable<string> = this.#lanes.keys(), only?: string): number | undefined {
    const found = this.#best(from);
    const step = found?.steps[found.taken];
    if (found === undefined || step === undefined) return undefined;
    const { lane, stage, own } = found.group;
    if (only !== undefined && lane !== only) return undefined;
    found.taken += 1;
    if (found.taken === found.steps.length) this.#lanes.get(lane)?.free[stage].delete(found);
    for (const limit of own) {
      this.#used[limit] = (this.#used[limit] ?? 0) + 1;
      this.#addBacklog(limit, -(this.durationMs[step] ?? 0));
    }
    return step;
  }

  /** The step runs no more, whatever came of it: another one may have its place. */
  leave(step: number): void {
    for (const limit of this.layout.groupOf[step]?.own ?? []) this.#used[limit] = (this.#used[limit] ?? 1) - 1;
  }

  /** The step is complete: what waited for it may follow. */
  complete(step: number): void {
    const group = this.layout.groupOf[step];
    if (group === undefined) return;
    const lane = this.#lanes.get(group.lane);
    if (lane !== undefined) lane.unfinished[group.stage] -= 1;
    for (const next of this.layout.after[step] ?? []) {
      const waits = (this.#waits[next] ?? 0) - 1;
      this.#waits[next] = waits;
      if (waits === 0) this.#release(next);
    }
  }

  /** Of the groups with a step that may begin, the one whose first is to. */
  #best(lanes: Iterable<string>): FreeSteps | undefined {
    let best: FreeSteps | undefined;
    let bestRank: readonly number[] | undefined;
    for (const lane of lanes) {
      const stage = this.stageIn(lane);
      if (stage === null) continue;
      for (const free of this.#lanes.get(lane)?.free[stage] ?? []) {
        if (!this.#fits(free.group.own)) continue;
        // Mostly there is only one, and nothing to rank.
        const rank = best === undefined ? undefined : this.#rank(free);
        if (best !== undefined && rank !== undefined && !isHigher(rank, (bestRank ??= this.#rank(best)))) continue;
        best = free;
        bestRank = rank;
      }
    }
    return best;
  }

  /** Longest first; of equals the one that came first is. */
  #release(step: number): void {
    const free = this.#free[this.layout.groupOf[step]?.index ?? 0];
    if (free === undefined) return;
    const { group, steps } = free;
    this.#lanes.get(group.lane)?.free[group.stage].add(free);
    const lengthMs = this.#lengthMs[step] ?? 0;
    let low = free.taken;
    let high = steps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lengthMs[steps[middle] ?? 0] ?? 0) < lengthMs) high = middle;
      else low = middle + 1;
    }
    if (low === steps.length) steps.push(step);
    else steps.splice(low, 0, step);
  }

  #addBacklog(limit: number, ms: number): void {
    this.#backlogMs[limit] = (this.#backlogMs[limit] ?? 0) + ms;
  }

  #fits(limits: readonly number[]): boolean {
    return limits.every((limit) => (this.#used[limit] ?? 0) < (this.layout.capacities[limit] ?? 0));
  }

  /** How long the work that has not begun keeps the narrowest of the limits busy. */
  #busyMs(limits: readonly number[]): number {
    return limits.reduce(
      (longest, limit) => Math.max(longest, (this.#backlogMs[limit] ?? 0) / (this.layout.capacities[limit] ?? 1)),
      0,
    );
  }

  #rank({ group: { priority, own, ahead }, steps, taken }: FreeSteps): readonly number[] {
    const next = steps[taken] ?? 0;
    return [
      priority,
      Math.max(this.#remainingMs[next] ?? 0, this.#busyMs(ahead)),
      this.#busyMs(own.slice(1)),
      this.#lengthMs[next] ?? 0,
      -next,
    ];
  }
}

/**
 * How many steps the narrowest of the limits lets run at once: where that is one, the step that most waits for is first, however long it takes
 * itself; where it is many, the longest way is.
 */
const narrowestOf = (limits: readonly number[], capacities: readonly number[]): number =>
  limits.reduce((narrowest, limit) => Math.min(narrowest, capacities[limit] ?? narrowest), Number.POSITIVE_INFINITY);

const stages = [0, 1, 2] as const;
const backwards = [2, 1, 0] as const;

const least = (all: readonly Stage[]): Stage => all.reduce((one, other) => (other < one ? other : one));
const greatest = (all: readonly Stage[]): Stage => all.reduce((one, other) => (other > one ? other : one));

/** The first place where two ranks differ decides. */
const isHigher = (rank: readonly number[], than: readonly number[]): boolean => {
  const at = rank.findIndex((value, index) => value !== than[index]);
  return at >= 0 && (rank[at] ?? 0) > (than[at] ?? 0);
};
