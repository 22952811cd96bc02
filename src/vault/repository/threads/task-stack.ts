/** Works off tasks that make further tasks, newest first, on as many threads as have something to do; a few are on their way to each thread at any time. */
import type { Thread, ThreadPool } from "./thread-pool.ts";

export class TaskStack<Task> {
  readonly #pool: ThreadPool;
  readonly #perThread: number;
  readonly #perform: (task: Task, thread: Thread) => Promise<void>;
  readonly #waiting: Task[] = [];
  readonly #busy = new Map<Thread, number>();
  readonly #end = Promise.withResolvers<void>();
  #running = 0;
  #failure: { readonly error: unknown } | undefined;

  /** @param perThread more than one, so that a thread never waits for the main thread to hand it the next task */
  constructor(pool: ThreadPool, perThread: number, perform: (task: Task, thread: Thread) => Promise<void>) {
    this.#pool = pool;
    this.#perThread = perThread;
    this.#perform = perform;
  }

  push(task: Task): void {
    this.#waiting.push(task);
    this.#pump();
  }

  /** The same without beginning: for many tasks whose order counts, which `drained` begins. */
  add(task: Task): void {
    this.#waiting.push(task);
  }

  /** Resolves when no task is left; after a failure no further one begins, and it rejects when those that run have ended. */
  async drained(): Promise<void> {
    this.#pump();
    return this.#end.promise;
  }

  #pump(): void {
    while (this.#failure === undefined && this.#waiting.length > 0) {
      const thread = this.#freest();
      if (thread === undefined) return;
      const task = this.#waiting.pop();
      if (task !== undefined) void this.#start(task, thread);
    }
    if (this.#running > 0) return;
    if (this.#failure === undefined) this.#end.resolve();
    else this.#end.reject(this.#failure.error);
  }

  /** A start costs a thread as much as some hundred small tasks, so that one is started only when the others have work. */
  #freest(): Thread | undefined {
    const busyOf = (thread: Thread): number => this.#busy.get(thread) ?? 0;
    const [best] = this.#pool.started.toSorted((a, b) => busyOf(a) - busyOf(b));
    if (best !== undefined && busyOf(best) === 0) return best;
    const another = this.#pool.startAnother();
    if (another !== undefined) return another;
    return best !== undefined && busyOf(best) < this.#perThread ? best : undefined;
  }

  async #start(task: Task, thread: Thread): Promise<void> {
    this.#running += 1;
    this.#busy.set(thread, (this.#busy.get(thread) ?? 0) + 1);
    try {
      await this.#perform(task, thread);
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#running -= 1;
    this.#busy.set(thread, (this.#busy.get(thread) ?? 0) - 1);
    this.#pump();
  }
}
