/**
 * A program under test: appends entries to the audit log of a state folder, with an archive that is a plain folder, and says which
 * were acknowledged. `KILL_AT` ends it before one of its changes to the world.
 */
import "./kill-points.ts";
import { createAuditLog } from "../journal/audit-log.ts";
import { silentLog } from "../platform/log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { createFolderAuditArchive } from "./folder-audit-archive.ts";

const [state = "", archive = "", name = "", count = "1"] = process.argv.slice(2);

const log = createAuditLog({
  directory: state,
  by: { user: name, host: "here", tool: "0.0.0" },
  clock: systemClock,
  log: silentLog,
  archive: async () => createFolderAuditArchive(archive),
  anchors: async () => [],
});

for (let n = 0; n < Number(count); n += 1) {
  await log.append({ action: "verify", outcome: "done", service: null, detail: { name: `${name} ${n}` } });
  process.stdout.write(`${name} ${n}\n`);
}
const { entries } = await log.settle();
process.stdout.write(entries === 0 ? "settled\n" : "waiting\n");
