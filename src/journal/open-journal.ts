/** Opens the journal in a thread of its own: a commit waits for the disk, and the streams of a recovery must not wait with it. */
import { Worker } from "node:worker_threads";
import type { Journal } from "../core/ports/engine.ts";
import type { RefloatError } from "../model/refloat-error.ts";
import { programEntry } from "../platform/program-files.ts";
import { threadOptions } from "../platform/thread-options.ts";
import { journalFailed } from "./journal-errors.ts";
import {
  type JournalAnswer,
  type JournalCall,
  type JournalMethod,
  type JournalThreadData,
  putTogether,
} from "./journal-protocol.ts";
import type { JournalStore } from "./journal-store.ts";

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (error: RefloatError) => void };

/**
 * @param path of the SQLite file; made with its folder when missing
 * @throws RefloatError journal.failed if it cannot be opened, is damaged, or was written by a newer version
 */
export const openJournal = async (path: string): Promise<Journal> => {
  const data: JournalThreadData = { path };
  const worker = new Worker(programEntry("journal-worker"), { workerData: data, name: "journal", ...threadOptions() });
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let ended: RefloatError | null = null;

  const end = (error: RefloatError): void => {
    ended ??= error;
    for (const { reject } of pending.values()) reject(ended);
    pending.clear();
  };
  worker.on("message", (answer: JournalAnswer) => {
    const waiting = pending.get(answer.id);
    pending.delete(answer.id);
    // A forgotten `close` must not keep the process alive; a call that is under way must.
    if (pending.size === 0) worker.unref();
    if ("error" in answer) waiting?.reject(putTogether(answer.error));
    else waiting?.resolve(answer.value);
  });
  worker.on("error", (cause) => end(journalFailed(path, "its thread broke down", { cause })));
  worker.on("exit", () => end(journalFailed(path, "it is closed")));

  const call = <Name extends JournalMethod>(
    method: Name,
    ...args: Parameters<JournalStore[Name]>
  ): Promise<ReturnType<JournalStore[Name]>> =>
    new Promise((resolve, reject) => {
      if (ended !== null) {
        reject(ended);
        return;
      }
      lastId += 1;
      pending.set(lastId, { resolve: resolve as (value: unknown) => void, reject });
      worker.ref();
      worker.postMessage({ id: lastId, method, args } satisfies JournalCall, []);
    });

  const close = async (): Promise<void> => {
    if (ended !== null) return;
    try {
      await call("close");
    } finally {
      await worker.terminate();
    }
  };

  try {
    // The first call opens the file: whoever cannot have a journal hears of it now.
    await call("listRuns", "");
  } catch (error) {
    await worker.terminate();
    throw error;
  }

  return {
    createRun: (options) => call("createRun", options),
    createRuns: (options) => call("createRuns", options),
    record: (run, epoch, at, transition) => call("record", run, epoch, at, transition),
    say: (run, at, word) => call("say", run, at, word),
    edit: (run, at, word, plan) => call("edit", run, at, word, plan),
    takeUp: (run, at, direction) => call("takeUp", run, at, direction ?? null),
    readRun: (run) => call("readRun", run),
    listRuns: (service) => call("listRuns", service ?? null),
    events: (run, afterSequence) => call("events", run, afterSequence ?? 0),
    savePlan: (plan) => call("savePlan", plan),
    readPlan: (digest) => call("readPlan", digest),
    exportRun: (run) => call("exportRun", run),
    importRun: (copy) => call("importRun", copy),
    readCopy: (copy) => call("readCopy", copy),
    close,
  };
};
