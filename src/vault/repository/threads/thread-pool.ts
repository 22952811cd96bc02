/**
 * The worker threads of one repository, as asynchronous calls. Threads start on first use, keep the process alive only while a call is
 * under way, and end with `close`. A thread that dies fails every call it owed.
 */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker, type Transferable } from "node:worker_threads";
import { RefloatError } from "../../../model/refloat-error.ts";
import { programEntry } from "../../../platform/program-files.ts";
import { threadOptions } from "../../../platform/thread-options.ts";
import type { IndexedPack } from "../format/index-file.ts";
import type { FromThread, ThreadCall, ThreadCalls, ThreadData, ToThread } from "./calls.ts";
import { unpackError } from "./portable-error.ts";

/** More threads than two gain little: the disk and the source are the limit then, and each costs memory. */
const mostThreads = 2;
const patienceMs = 5000;
/** The default of 48 lets each thread gather three times the garbage for hardly more speed. */
const maxYoungGenerationSizeMb = 12;

type Waiting = { readonly resolve: (value: never) => void; readonly reject: (error: unknown) => void };

export type ThreadListener = {
  readonly pack: (pack: IndexedPack) => void;
};

export class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #progress: ReadonlyMap<number, (bytes: number, items: number) => void>;
  #next = 1;
  #dead: RefloatError | undefined;
  /** Long-lived work that was assigned to this thread, such as open streams. */
  assigned = 0;

  constructor(
    data: ThreadData,
    listener: ThreadListener,
    progress: ReadonlyMap<number, (bytes: number, items: number) => void>,
    entry: URL,
  ) {
    this.#progress = progress;
    this.#worker = new Worker(entry, {
      workerData: data,
      ...threadOptions(),
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    this.#worker.unref();
    this.#worker.on("message", (message: FromThread) => this.#receive(message, listener));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(undefined));
  }

  get load(): number {
    return this.#waiting.size + this.assigned;
  }

  async call<Call extends ThreadCall>(
    call: Call,
    request: ThreadCalls[Call]["request"],
    transfer: readonly Transferable[] = [],
  ): Promise<ThreadCalls[Call]["reply"]> {
    if (this.#dead !== undefined) throw this.#dead;
    const { promise, resolve, reject } = Promise.withResolvers<ThreadCalls[Call]["reply"]>();
    const number = this.#next;
    this.#next += 1;
    if (this.#waiting.size === 0) this.#worker.ref();
    this.#waiting.set(number, { resolve, reject });
    this.#worker.postMessage({ number, call, request } satisfies ToThread, [...transfer]);
    return promise;
  }

  /** Lets the thread stop by itself; one that does not answer, in the midst of a long computation, is ended by force. */
  async end(): Promise<void> {
    const exited = once(this.#worker, "exit");
    this.#worker.ref();
    this.#worker.postMessage({ call: "end" } satisfies ToThread, []);
    const force = setTimeout(() => void this.#worker.terminate(), patienceMs);
    await exited;
    clearTimeout(force);
  }

  #receive(message: FromThread, listener: ThreadListener): void {
    switch (message.kind) {
      case "pack":
        listener.pack(message.pack);
        return;
      case "progress":
        this.#progress.get(message.job)?.(message.bytes, message.items);
        return;
      case "reply":
        this.#take(message.number)?.resolve(message.value as never);
        return;
      case "failed":
        this.#take(message.number)?.reject(unpackError(message.error));
        return;
    }
  }

  #take(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (this.#waiting.size === 0) this.#worker.unref();
    return waiting;
  }

  #fail(cause: unknown): void {
    this.#dead ??= new RefloatError("bug", "a worker thread of the vault died", {
      cause,
      state: "nothing was committed by what was under way",
    });
    for (const number of this.#waiting.keys()) this.#take(number)?.reject(this.#dead);
  }
}

export class ThreadPool {
  readonly #data: ThreadData;
  readonly #listener: ThreadListener;
  readonly #entry: URL;
  readonly #progress = new Map<number, (bytes: number, items: number) => void>();
  #started: readonly Thread[] = [];
  /** None any more once it is closed. */
  #most: number;
  readonly #processors: number;
  #nextJob = 1;

  /**
   * @param entry the module that the threads run, when it is not the program's own
   * @param processors how many are to be counted on
   */
  constructor(
    data: ThreadData,
    listener: ThreadListener,
    entry = programEntry("vault-worker"),
    processors = availableParallelism(),
  ) {
    this.#processors = processors;
    this.#most = Math.min(mostThreads, processors);
    this.#data = data;
    this.#listener = listener;
    this.#entry = entry;
  }

  get started(): readonly Thread[] {
    return this.#started;
  }

  /** One more thread; undefined when there are as many as this machine has use for. */
  startAnother(): Thread | undefined {
    return this.#started.length < this.#most ? this.#start() : undefined;
  }

  /** One that has nothing to do, else a new one, else the one that has least. */
  leastLoaded(): Thread {
    const [first, ...others] = this.#started;
    const least = others.reduce((best, thread) => (thread.load < (best?.load ?? 0) ? thread : best), first);
    if (least?.load === 0) return least;
    const another = this.startAnother() ?? least;
    if (another === undefined) throw new RefloatError("bug", "the vault was used after it was closed");
    return another;
  }

  /**
   * A stream alone leaves a processor idle, which another thread could use: the main thread, which takes its bytes in, and the one that cuts it have
   * theirs. Where there are no more, handing chunks over has made a capture take a seventh more of the processors' time.
   */
  get hasHandsFree(): boolean {
    return this.#most > 1 && this.#processors > 2;
  }

  /** Another thread than this one, a new one if there is none yet; this one where there cannot be another. */
  besides(thread: Thread): Thread {
    const others = this.#started.filter((other) => other !== thread);
    const [first] = others;
    if (first === undefined) return this.startAnother() ?? thread;
    return others.reduce((best, other) => (other.load < best.load ? other : best), first);
  }

  /** A number for long work, unique in this pool, under which threads report progress. */
  beginJob(progress: (bytes: number, items: number) => void): { readonly job: number; readonly end: () => void } {
    const job = this.#nextJob;
    this.#nextJob += 1;
    this.#progress.set(job, progress);
    return { job, end: () => this.#progress.delete(job) };
  }

  async close(): Promise<void> {
    const ended = this.#started;
    this.#started = [];
    this.#most = 0;
    await Promise.all(ended.map(async (thread) => thread.end()));
  }

  #start(): Thread {
    const thread = new Thread(this.#data, this.#listener, this.#progress, this.#entry);
    this.#started = [...this.#started, thread];
    return thread;
  }
}
