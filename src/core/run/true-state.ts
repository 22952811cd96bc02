/**
 * The state of a run as it truly is. The journal of a run whose process died still says `running`; the lease, which the operating
 * system freed, tells that nobody executes it.
 */
import type { RunRecord } from "../../model/run.ts";
import type { Leases } from "../ports/engine.ts";

export const withTrueState = async (leases: Leases, record: RunRecord): Promise<RunRecord> =>
  record.state === "running" && (await leases.holder(record.service)) === null
    ? { ...record, state: "interrupted" }
    : record;
