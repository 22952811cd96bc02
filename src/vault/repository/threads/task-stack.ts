/** Works off tasks that make further tasks, newest first, on all threads; a few are on their way to each thread at any time. */
import type { Thread } from "./thread-pool.ts";

export class TaskStack<Task> {
  readonly #threads: readonly Thread[];
  readonly #perThread: number;
  readonly #perform: (task: Task, thread: Thread) => Promise<void>;
  readonly #waiting: Task[] = [];
  readonly #busy = new Map<Thread, number>();
  readonly #end = Promise.withResolvers<void>();
  #running = 0;
  #failure: { readonly error: unknown } | undefined;

  /** @param perThread more than one, so that a thread never waits for the main thread to hand it the next task */
  constructor(threads: readonly Thread[], perThread: number, perform: (task: Task, thread: Thread) => Promise<void>) {
    this.#threads = threads;
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
      const thread = this.#idlest();
      if (thread === undefined) return;
      const task = this.#waiting.pop();
      if (task !== undefined) void this.#start(task, thread);
    }
    if (this.#running > 0) return;
    if (this.#failure === undefined) this.#end.resolve();
    else this.#end.reject(this.#failure.error);
  }

  #idlest(): Thread | undefined {
    let best: Thread | undefined;
    for (const thread of this.#threads) {
      const busy = this.#busy.get(thread) ?? 0;
      if (busy < this.#perThread && (best === undefined || busy < (this.#busy.get(best) ?? 0))) best = thread;
    }
    return best;
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
