/**
 * Takes a copy of a run into the journal. A run that is known already is only ever carried further, never back. Where two machines have
 * executed it, the one that took it up later is believed: the other was told to stop.
 */
import { type RunNumber, runNumberSchema } from "../model/identifiers.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { JournalTables } from "./journal-tables.ts";
import type { RunCopy } from "./run-copy.ts";

/**
 * @returns the number that the run has here: its own, or the next free one when that is taken
 * @throws RefloatError run.wrong-state if journal and copy tell different stories of one run, and neither took it up from the other
 */
export const importCopy = (tables: JournalTables, copy: RunCopy): RunNumber => {
  const known = tables.findRunByUid(copy.record.uid);
  if (known === null) {
    const number = tables.findRun(copy.madeAs) === null ? runNumberSchema.parse(copy.madeAs) : tables.nextRunNumber();
    insertCopy(tables, copy, number);
    return number;
  }
  const { number } = known.run;
  if (copy.record.epoch > known.run.epoch || goesFurther(tables, copy, number)) {
    tables.deleteRun(number);
    insertCopy(tables, copy, number);
  }
  return number;
};

const goesFurther = (tables: JournalTables, copy: RunCopy, number: RunNumber): boolean => {
  const here = tables.readEventDocuments(number);
  const shared = Math.min(here.length, copy.events.length);
  // The hash of an event stands for all before it.
  if (here[shared - 1]?.hash !== copy.events[shared - 1]?.hash) {
    throw new RefloatError("run.wrong-state", `run ${number} went on in two places: journal and copy disagree`, {
      hint: "resume it only where it went further, and look at both reports first",
      context: { run: number, eventsHere: here.length, eventsInCopy: copy.events.length },
    });
  }
  return copy.events.length > here.length;
};

const insertCopy = (tables: JournalTables, copy: RunCopy, number: RunNumber): void => {
  const { steps, ...run } = copy.record;
  tables.insertRun({ run: { ...run, number }, madeAs: copy.madeAs }, copy.planText, steps);
  for (const [index, event] of copy.events.entries()) tables.insertEvent(number, index + 1, event);
};
