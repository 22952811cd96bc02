/** cancel: stops a run before its cutover and removes what it built; live is as it was. */
import { audited } from "../core/audit/audited.ts";
import { auditedRun } from "../core/audit/audited-run.ts";
import { carryRunOver } from "../core/run/carry-run-over.ts";
import type { RunListener } from "../core/ports/engine.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { RunRecord } from "../model/run.ts";

export type CancelOptions = { readonly run: RunNumber; readonly listener: RunListener; readonly signal: AbortSignal };

/** @throws RefloatError run.fenced; run.wrong-state once traffic has been admitted, with what can be done instead */
export const cancel = async (bench: Workbench, { run, ...options }: CancelOptions): Promise<RunRecord> => {
  await carryRunOver(bench, run);
  const engine = await bench.engine();
  const { record } = await (await bench.journal()).readRun(run);
  const act = { action: "cancel", service: record.service, detail: { run, uid: record.uid } } as const;
  return audited(bench.audit, act, () => engine.cancel(run, options), auditedRun);
};
