/**
 * Tasks shared by a few workers, costliest first; a task may unlock others. The first failure stops all of them. Knows nothing of
 * databases.
 */
export type Task<Worker> = {
  /** Decides the order: any measure of time, the same for all tasks of a queue. */
  readonly cost: number;
  readonly run: (worker: Worker) => Promise<readonly Task<Worker>[]>;
};

export type WorkerPool<Worker> = {
  readonly count: number;
  /** @param signal aborts when any task has failed */
  readonly open: (signal: AbortSignal) => Promise<Worker>;
  readonly close: (worker: Worker) => Promise<void>;
};

/**
 * Resolves when every task, the unlocked ones included, is done.
 * @throws the first failure, or the signal's reason; never before all workers have stopped
 */
export const workThrough = async <Worker>(
  tasks: readonly Task<Worker>[],
  pool: WorkerPool<Worker>,
  signal: AbortSignal,
): Promise<void> => {
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const ready = [...tasks].sort((a, b) => b.cost - a.cost);
  let running = 0;
  let waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const resume of waiting) resume();
    waiting = [];
  };
  stop.addEventListener("abort", wake, { once: true });

  const takeUp = async (worker: Worker): Promise<void> => {
    for (;;) {
      stop.throwIfAborted();
      const task = ready.shift();
      if (task === undefined) {
        if (running === 0) return;
        await new Promise<void>((resolve) => waiting.push(resolve));
        continue;
      }
      running += 1;
      try {
        const unlocked = await task.run(worker);
        ready.push(...unlocked);
        ready.sort((a, b) => b.cost - a.cost);
      } finally {
        running -= 1;
        wake();
      }
    }
  };

  const work = async (): Promise<void> => {
    try {
      const worker = await pool.open(stop);
      try {
        await takeUp(worker);
      } finally {
        await pool.close(worker);
      }
    } catch (error) {
      failed.abort(error);
    }
  };

  await Promise.all(Array.from({ length: pool.count }, work));
  stop.removeEventListener("abort", wake);
  signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
};
