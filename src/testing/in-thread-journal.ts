/** The journal's transactions without its thread: for tests with a clock of their own, where nothing may wait for real time. */
import type { Journal } from "../core/ports/engine.ts";
import { JournalStore } from "../journal/journal-store.ts";
import { type FaultPoint, noFault } from "../platform/fault-point.ts";

/** @param path of the file, or `:memory:` */
export const openInThreadJournal = (path: string, fault: FaultPoint = noFault): Journal => {
  const store = new JournalStore(path, fault);
  return {
    createRun: async (options) => store.createRun(options),
    createRuns: async (options) => store.createRuns(options),
    record: async (run, epoch, at, transition) => store.record(run, epoch, at, transition),
    say: async (run, at, word) => store.say(run, at, word),
    edit: async (run, at, word, plan) => store.edit(run, at, word, plan),
    takeUp: async (run, at, direction) => store.takeUp(run, at, direction ?? null),
    readRun: async (run) => store.readRun(run),
    listRuns: async (service) => store.listRuns(service ?? null),
    events: async (run, afterSequence) => store.events(run, afterSequence ?? 0),
    savePlan: async (plan) => store.savePlan(plan),
    readPlan: async (digest) => store.readPlan(digest),
    exportRun: async (run) => store.exportRun(run),
    importRun: async (copy) => store.importRun(copy),
    readCopy: async (copy) => store.readCopy(copy),
    close: async () => store.close(),
  };
};
