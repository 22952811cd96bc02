/**
 * The state of a run as it truly is. The journal of a run whose process died still says `running`; the lease, which the operating
 * system freed, tells that nobody executes it.
 */
import type { RunRecord } from "../../model/run.ts";
import type { Journal, Leases } from "../ports/engine.ts";

export const withTrueState = async (
  journal: Pick<Journal, "readRun">,
  leases: Pick<Leases, "holder">,
  record: RunRecord,
): Promise<RunRecord> => {
  if (record.state !== "running" || (await leases.holder(record.service)) !== null) return record;
  // It may have ended between the reading of its record and the look at the lease.
  const again = (await journal.readRun(record.number)).record;
  return again.state === "running" ? { ...again, state: "interrupted" } : again;
};
