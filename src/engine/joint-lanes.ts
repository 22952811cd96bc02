/**
 * One queue for the runs that are executed together: each takes the steps of its own lane from it, in the order that is best for all of them and
 * within the limits that they share. Knows what has become of each run, so that one that waits for it learns when it waits in vain.
 */
import { jointId, laneOf, ownId, waitsOf } from "../core/run/joint-graph.ts";
import type { ReadyQueue, StepSource } from "../core/run/ready-queue.ts";
import type { StepId } from "../model/identifiers.ts";
import type { PlanIntent } from "../model/plan.ts";
import type { RunRecord } from "../model/run.ts";
import type { WorkBeside } from "./work-through.ts";

/** A service that is waited for and will not be there. */
export type Unmet = Pick<RunRecord, "service" | "number" | "state" | "message">;

export type JointLane = StepSource &
  WorkBeside & {
    /** Of what the steps that are left wait for: what will not come. */
    readonly unmet: () => readonly Unmet[];
  };

type Lane = {
  /** May it begin a step now? Never before it has been entered. */
  mayBegin: () => boolean;
  wake: () => void;
  /** It will begin no more steps. */
  closed: boolean;
  readonly waitsFor: readonly string[];
};

export class JointLanes {
  readonly #queue: ReadyQueue;
  readonly #left: Set<StepId>;
  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #ended = new Map<string, Unmet>();

  /** @param left joint ids of the steps that the queue goes through */
  constructor(queue: ReadyQueue, parts: readonly PlanIntent[], left: ReadonlySet<StepId>) {
    this.#queue = queue;
    this.#left = new Set(left);
    this.#lanes = new Map(
      parts.map((part) => [
        part.service,
        { mayBegin: () => false, wake: () => undefined, closed: false, waitsFor: waitsOf(part) },
      ]),
    );
  }

  lane(service: string): JointLane {
    const lane = this.#lanes.get(service);
    const queue = this.#queue;
    return {
      get stage() {
        return queue.stageIn(service);
      },
      take: () => {
        const id = queue.take(this.#beginning(), service);
        if (id === undefined) return undefined;
        this.#wakeAll();
        return ownId(id);
      },
      leave: (id) => {
        queue.leave(jointId(service, id));
        this.#wakeAll();
      },
      complete: (id) => this.#complete(jointId(service, id)),
      hasFree: () => queue.hasFreeIn(service),
      enter: (mayBegin, wake) => {
        if (lane === undefined) return;
        lane.mayBegin = mayBegin;
        lane.wake = wake;
        this.#wakeAll();
      },
      mayWait: () =>
        queue.stageIn(service) !== null &&
        (queue.hasFreeIn(service)
          ? [...this.#lanes].some(([name, { closed }]) => name !== service && !closed)
          : lane?.waitsFor.some((name) => this.#lanes.get(name)?.closed === false) === true),
      unmet: () => (lane?.waitsFor ?? []).flatMap((name) => this.#ended.get(name) ?? []),
    };
  }

  /** The run has come to its end for now. @param isThere what waits for its service may go on */
  end({ service, number, state, message }: Unmet, isThere: boolean): void {
    const lane = this.#lanes.get(service);
    if (lane !== undefined) lane.closed = true;
    if (isThere) for (const id of this.#left) if (laneOf(id) === service) this.#complete(id);
    if (!isThere) this.#ended.set(service, { service, number, state, message });
    this.#wakeAll();
  }

  #complete(id: StepId): void {
    if (!this.#left.delete(id)) return;
    this.#queue.complete(id);
    this.#wakeAll();
  }

  #beginning(): readonly string[] {
    return [...this.#lanes].flatMap(([name, { closed, mayBegin }]) => (!closed && mayBegin() ? [name] : []));
  }

  #wakeAll(): void {
    for (const { wake } of this.#lanes.values()) wake();
  }
}
