/**
 * A process that executes, resumes or cancels run 1 in a world of files, to be killed: `engine-process.ts FOLDER ACT [TROUBLE...]`.
 * A trouble is `kill:MOMENT:STEP` or `fail:MOMENT:STEP`. Writes the run's state to standard output.
 */
import { join } from "node:path";
import { openJournal } from "../../../src/journal/open-journal.ts";
import { RefloatError } from "../../../src/model/refloat-error.ts";
import type { Intercept } from "../../../src/testing/world-handlers.ts";
import { type EngineAct, actOnRun } from "./act-on-run.ts";

const [folder = "", act = "", ...troubles] = process.argv.slice(2);

const intercept: Intercept = async (moment, context) => {
  if (troubles.includes(`kill:${moment}:${context.step.id}`)) process.kill(process.pid, "SIGKILL");
  if (troubles.includes(`fail:${moment}:${context.step.id}`)) throw new RefloatError("target.failed", "it refuses");
  return undefined;
};

const journal = await openJournal(join(folder, "journal.db"));
const record = await actOnRun({ folder, journal, act: act as EngineAct, intercept });
await journal.close();
process.stdout.write(record.state);
