/** What is known of when runs changed what is live: from this machine's journal, and from the copies in the vault. */
import type { Workbench } from "../ports/workbench.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import type { RunRecord } from "../../model/run.ts";
import { type RunMoment, runMoment } from "./run-moment.ts";

type Bench = Pick<Workbench, "journal" | "vault" | "log">;

const fromJournal = async (bench: Bench, wanted: (run: RunRecord) => boolean): Promise<readonly RunMoment[]> => {
  const journal = await bench.journal();
  const moments: RunMoment[] = [];
  for (const { number } of (await journal.listRuns()).filter(wanted)) {
    const { record, plan } = await journal.readRun(number);
    moments.push(runMoment(record, plan, await journal.events(number)));
  }
  return moments;
};

/** @param known uids of runs that need not be read */
const fromCopies = async (bench: Bench, service: string, known: ReadonlySet<string>): Promise<readonly RunMoment[]> => {
  const journal = await bench.journal();
  const { runCopies } = await bench.vault();
  const moments: RunMoment[] = [];
  for (const { uid } of await runCopies.list(service)) {
    if (known.has(uid)) continue;
    try {
      const { record, plan, events } = await journal.readCopy(await runCopies.read(uid));
      moments.push(runMoment(record, plan, events));
    } catch (error) {
      // One rotten copy must not keep the others from being found.
      bench.log.warn("a copy of a run cannot be read", { uid, why: toRefloatError(error).message });
    }
  }
  return moments;
};

/**
 * What `before run 42` may mean. Copies are read only where the journal knows no such run of the service.
 * @param run a number, or the beginning of a uid
 */
export const knownRunMoments = async (bench: Bench, service: string, run: string): Promise<readonly RunMoment[]> => {
  const here = await fromJournal(
    bench,
    ({ number, uid }) => String(number) === run || (run.length >= 8 && uid.startsWith(run)),
  );
  if (here.some((moment) => moment.service === service)) return here;
  return [...here, ...(await fromCopies(bench, service, new Set()))];
};

/** Of one service, oldest first: those of this machine, and those that only the vault knows. */
export const allRunMoments = async (bench: Bench, service: string): Promise<readonly RunMoment[]> => {
  const here = await fromJournal(bench, (run) => run.service === service);
  const copied = await fromCopies(bench, service, new Set(here.map(({ uid }) => uid)));
  return [...here, ...copied].toSorted((a, b) => Date.parse(a.beganAt) - Date.parse(b.beganAt));
};
