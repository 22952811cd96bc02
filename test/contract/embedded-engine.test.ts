import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { createEngine } from "../../src/engine/create-engine.ts";
import { createLeases } from "../../src/platform/lease.ts";
import { silentLog } from "../../src/platform/log.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { describeEngineContract } from "../../src/testing/engine-contract.ts";
import { openInThreadJournal } from "../../src/testing/in-thread-journal.ts";

describeEngineContract("embedded", async ({ folder, wrapJournal, ...parts }) => {
  const journal = openInThreadJournal(join(folder, "journal.db"));
  const engine = createEngine({
    ...parts,
    journal: wrapJournal(journal),
    leases: createLeases(join(folder, "leases")),
    clock: systemClock,
    log: silentLog,
    newUid: randomUUID,
  });
  return { engine, journal, close: journal.close };
});
