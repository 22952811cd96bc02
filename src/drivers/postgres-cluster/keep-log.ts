/** The slot that keeps the log of the time that a capture takes, and ends with its connection. */
import { randomBytes } from "node:crypto";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import type { ClusterContext } from "./cluster-options.ts";

const noFreeSlot = "53400";

/** Without a free slot the capture may find its log removed, and then fails whole: nothing torn is ever kept. */
export const keepLog = async (context: ClusterContext, take: (name: string) => Promise<unknown>): Promise<void> => {
  try {
    await take(`refloat_${randomBytes(6).toString("hex")}`);
  } catch (error) {
    if (sqlStateOf(error) !== noFreeSlot) throw error;
    context.log.warn(
      `${context.component} has no free replication slot: if its log is removed while it is captured, the capture fails (max_replication_slots)`,
    );
  }
};
