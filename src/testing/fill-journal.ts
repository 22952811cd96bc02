/** A process that writes to a journal until the disk of the given folder is full, and tells as JSON what is left: `fill-journal.ts FOLDER`. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openJournal } from "../journal/open-journal.ts";
import { toRefloatError } from "../model/refloat-error.ts";
import { recoveryPlan } from "./run-plans.ts";

const folder = process.argv[2] ?? "";
const at = "2026-03-01T16:12:08.000Z";
const ballast = join(folder, "ballast");
writeFileSync(ballast, Buffer.alloc(64 * 1024));

const journal = await openJournal(join(folder, "journal.db"));
const run = await journal.createRun({
  uid: "00000000-0000-4000-8000-000000000001",
  plan: recoveryPlan(),
  at,
  incidentAt: null,
});
const note = (message: string) => journal.record(run.number, run.epoch, at, { run: { state: "running", message } });

let confirmed = 1;
const fill = async (): Promise<never> => {
  for (;;) {
    await note("x".repeat(2000));
    confirmed += 1;
  }
};
const { code, message, hint } = await fill().catch(toRefloatError);
const events = await journal.events(run.number);
const { record } = await journal.readRun(run.number);
rmSync(ballast);
await note("there is room again");
await journal.close();

process.stdout.write(
  JSON.stringify({
    code,
    message,
    hint,
    eventsAreThoseThatWereConfirmed: events.length === confirmed,
    runState: record.state,
    writesAgainWhenThereIsRoom: true,
  }),
);
