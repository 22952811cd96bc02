/** Goes through steps as fast as their order and their limits allow. */
import type { StepSource } from "../core/run/ready-queue.ts";
import type { StepId } from "../model/identifiers.ts";

export type WorkedStep = {
  /** What waits for it may follow. */
  readonly complete: boolean;
  /** Settles when that is on the disk. What follows does not wait for it, since its own beginning is journaled after it. */
  readonly durable?: Promise<void>;
};

/** Of a queue that others take steps from as well. */
export type WorkBeside = {
  /** Could a step of the present stage begin, if there were room? What others have still to do may be in its way. */
  readonly hasFree: () => boolean;
  /** What others do may let a step begin that may not yet. */
  readonly mayWait: () => boolean;
  /** @param wake is called whenever others have done something */
  readonly enter: (mayBegin: () => boolean, wake: () => void) => void;
};

export type WorkThroughOptions = {
  readonly queue: StepSource & Partial<WorkBeside>;
  /** Asked before each step; once false no step is begun any more. */
  readonly mayBegin: () => boolean;
  /** Before the first step of a stage, when nothing runs. */
  readonly atStage: (stage: 0 | 1 | 2) => Promise<void>;
  readonly work: (id: StepId) => Promise<WorkedStep>;
  /** After which nothing may begin any more: who waits for others is woken. */
  readonly stop?: AbortSignal;
  /** Something is broken beyond the steps: those that run must stop. */
  readonly onBroken: () => void;
};

/**
 * Resolves when nothing runs and nothing more may begin.
 * @throws the first error that `work` or `atStage` threw, after all that ran has settled
 */
export const workThrough = async (options: WorkThroughOptions): Promise<void> => {
  const { queue } = options;
  let running = 0;
  /** Done, and not yet on the disk. */
  let unwritten = 0;
  const faults: unknown[] = [];
  let settled = Promise.withResolvers<void>();
  let stage: 0 | 1 | 2 | null = null;

  const breakOff = (error: unknown): void => {
    faults.push(error);
    options.onBroken();
  };
  const write = async (durable: Promise<void>): Promise<void> => {
    unwritten += 1;
    try {
      await durable;
    } catch (error) {
      breakOff(error);
    } finally {
      unwritten -= 1;
      settled.resolve();
    }
  };
  const begin = async (id: StepId): Promise<void> => {
    try {
      const { complete, durable } = await options.work(id);
      if (durable !== undefined) void write(durable);
      if (complete) queue.complete(id);
    } catch (error) {
      breakOff(error);
    } finally {
      queue.leave(id);
      running -= 1;
      settled.resolve();
    }
  };
  const wake = (): void => settled.resolve();
  queue.enter?.(() => faults.length === 0 && options.mayBegin(), wake);
  options.stop?.addEventListener("abort", wake);
  for (;;) {
    while (faults.length === 0 && options.mayBegin()) {
      if (running === 0 && queue.stage !== null && queue.stage !== stage && queue.hasFree?.() !== false) {
        // Nothing of a stage begins before all of the one before it is written down.
        if (unwritten > 0) break;
        stage = queue.stage;
        try {
          await options.atStage(stage);
        } catch (error) {
          breakOff(error);
        }
        continue;
      }
      const id = queue.take();
      if (id === undefined) break;
      running += 1;
      void begin(id);
    }
    const mayWait = faults.length === 0 && options.mayBegin() && queue.mayWait?.() === true;
    if (running === 0 && unwritten === 0 && !mayWait) break;
    await settled.promise;
    settled = Promise.withResolvers();
  }
  queue.enter?.(
    () => false,
    () => undefined,
  );
  options.stop?.removeEventListener("abort", wake);
  if (faults.length > 0) throw faults[0];
};
