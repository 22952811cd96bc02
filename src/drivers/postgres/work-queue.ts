/**
 * Tasks shared by a few workers: each runs when what it needs is done and nobody uses what it must have for itself, the costliest
 * first. The first failure stops all of them. Knows nothing of databases.
 */
export type Task<Worker> = {
  readonly id: string;
  /** Decides the order: any measure of time, the same for all tasks of a queue. */
  readonly cost: number;
  /** Ids of tasks that come before. */
  readonly needs?: readonly string[];
  /** Things that it uses together with other users, and things that it must have alone while it runs. */
  readonly shares?: readonly string[];
  readonly owns?: readonly string[];
  readonly run: (worker: Worker) => Promise<void>;
};

export type WorkerPool<Worker> = {
  readonly count: number;
  /** @param signal aborts when any task has failed */
  readonly open: (signal: AbortSignal) => Promise<Worker>;
  readonly close: (worker: Worker) => Promise<void>;
};

/** Who uses a thing: -1 one owner, else the number of those who share it. */
class Claims {
  readonly #users = new Map<string, number>();

  #usersOf(thing: string): number {
    return this.#users.get(thing) ?? 0;
  }

  allow({ shares = [], owns = [] }: Pick<Task<never>, "shares" | "owns">): boolean {
    return shares.every((thing) => this.#usersOf(thing) >= 0) && owns.every((thing) => this.#usersOf(thing) === 0);
  }

  take({ shares = [], owns = [] }: Pick<Task<never>, "shares" | "owns">): void {
    for (const thing of shares) this.#users.set(thing, this.#usersOf(thing) + 1);
    for (const thing of owns) this.#users.set(thing, -1);
  }

  release({ shares = [], owns = [] }: Pick<Task<never>, "shares" | "owns">): void {
    for (const thing of shares) this.#users.set(thing, this.#usersOf(thing) - 1);
    for (const thing of owns) this.#users.set(thing, 0);
  }
}

class Queue<Worker> {
  readonly #waiting: Task<Worker>[];
  readonly #done = new Set<string>();
  readonly #claims = new Claims();
  #idle: (() => void)[] = [];
  #running = 0;
  #hasFailed = false;

  constructor(tasks: readonly Task<Worker>[]) {
    this.#waiting = [...tasks].sort((a, b) => b.cost - a.cost);
  }

  wake(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resume of idle) resume();
  }

  #takeReady(): Task<Worker> | undefined {
    const index = this.#waiting.findIndex(
      (task) => (task.needs ?? []).every((id) => this.#done.has(id)) && this.#claims.allow(task),
    );
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  async workOff(worker: Worker, stop: AbortSignal): Promise<void> {
    for (;;) {
      stop.throwIfAborted();
      // The failure is on its way to be thrown by the worker that met it.
      if (this.#hasFailed) return;
      const task = this.#takeReady();
      if (task === undefined) {
        if (this.#waiting.length === 0) return;
        if (this.#running === 0) throw new Error(`nothing can go on: ${this.#waiting.map(({ id }) => id).join(", ")}`);
        await new Promise<void>((resolve) => this.#idle.push(resolve));
        continue;
      }
      this.#claims.take(task);
      this.#running += 1;
      try {
        await task.run(worker);
        this.#done.add(task.id);
      } catch (error) {
        this.#hasFailed = true;
        throw error;
      } finally {
        this.#claims.release(task);
        this.#running -= 1;
        this.wake();
      }
    }
  }
}

/**
 * Resolves when every task is done.
 * @throws the first failure, or the signal's reason; never before all workers have stopped
 */
export const workThrough = async <Worker>(
  tasks: readonly Task<Worker>[],
  pool: WorkerPool<Worker>,
  signal: AbortSignal,
): Promise<void> => {
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const queue = new Queue(tasks);
  const wake = (): void => queue.wake();
  stop.addEventListener("abort", wake, { once: true });

  const work = async (): Promise<void> => {
    try {
      const worker = await pool.open(stop);
      try {
        await queue.workOff(worker, stop);
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
