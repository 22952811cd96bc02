/** What is known of runs that `before run 42` may mean: from this machine's journal, else from the copies in the vault. */
import type { Workbench } from "../ports/workbench.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import { type RunMoment, runMoment } from "./run-moment.ts";

/** @param run a number, or the beginning of a uid. Runs that do not fit are left out where that spares reading them. */
export const knownRunMoments = async (
  bench: Pick<Workbench, "journal" | "vault" | "log">,
  service: string,
  run: string,
): Promise<readonly RunMoment[]> => {
  const journal = await bench.journal();
  const here = (await journal.listRuns()).filter(
    ({ number, uid }) => String(number) === run || (run.length >= 8 && uid.startsWith(run)),
  );
  const moments: RunMoment[] = [];
  for (const { number } of here) {
    const { record, plan } = await journal.readRun(number);
    moments.push(runMoment(record, plan, await journal.events(number)));
  }
  if (moments.some((moment) => moment.service === service)) return moments;
  const { runCopies } = await bench.vault();
  for (const { uid } of await runCopies.list(service)) {
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
