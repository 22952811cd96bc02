/**
 * Before a run is gone on with here: what the vault knows of it. A run that another machine has taken up since is not touched while
 * it is unfinished there; when it has come to an end, this journal learns of it.
 */
import type { Workbench } from "../ports/workbench.ts";
import { isLive } from "./legal-transitions.ts";
import type { RunNumber } from "../../model/identifiers.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import { runStateSchema } from "../../model/run.ts";

/** @throws RefloatError run.fenced */
export const carryRunOver = async (bench: Workbench, number: RunNumber): Promise<void> => {
  const journal = await bench.journal();
  const { record } = await journal.readRun(number);
  try {
    const { runCopies } = await bench.vault();
    const [newest] = await runCopies.of(record.uid);
    if (newest === undefined || newest.epoch <= record.epoch) return;
    const state = runStateSchema.safeParse(newest.state);
    if (state.success && !isLive(state.data)) {
      await journal.importRun(await runCopies.read(record.uid));
      return;
    }
    throw new RefloatError(
      "run.fenced",
      `run ${number} of ${record.service} was taken up on ${newest.hostname} at ${newest.savedAt}, and is not known to have ended there`,
      {
        state: "nothing was done here",
        hint: "look there for how it goes on; only if that machine is gone, take the run over by its uid",
        nextCommand: `refloat resume ${record.uid}`,
        context: { run: number, uid: record.uid, hostname: newest.hostname },
      },
    );
  } catch (error) {
    if (error instanceof RefloatError && error.code === "run.fenced") throw error;
    // A vault that cannot be asked must not keep a service down.
    bench.log.warn("the vault could not be asked for other copies of the run", {
      run: number,
      why: toRefloatError(error).message,
    });
  }
};
