/** What is told of a gate that somebody has opened against the declared roles. */
import type { Notification } from "../../model/notification.ts";
import type { RunRecord } from "../../model/run.ts";
import type { RunWord } from "../../model/run-word.ts";
import type { Workbench } from "../ports/workbench.ts";

/** @param needs whose word it would have taken; empty where anybody's would have done */
export const approvalOverridden = (
  { clock, host }: Pick<Workbench, "clock" | "host">,
  { service, number, state }: RunRecord,
  { by, reason = "" }: Pick<RunWord, "by" | "reason">,
  needs: string,
): Notification => ({
  schema: "refloat/notification/v1",
  event: "approval-overridden",
  at: clock.now().toISOString(),
  service,
  host: host.hostname,
  title: `${by} has OVERRIDDEN the approval of run ${number} of ${service}`,
  message: needs === "" ? reason : `${reason}; it needed ${needs}`,
  next: `refloat runs ${number}`,
  run: number,
  state,
});
