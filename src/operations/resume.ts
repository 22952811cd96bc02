/**
 * resume: takes an interrupted, waiting or failed run up where it stopped. A run that this machine does not know is taken from
 * its copy in the vault.
 */
import { audited } from "../core/audit/audited.ts";
import { auditedRun } from "../core/audit/audited-run.ts";
import { carryRunOver } from "../core/run/carry-run-over.ts";
import type { RunListener } from "../core/ports/engine.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { RunRecord } from "../model/run.ts";

export type ResumeOptions = {
  /** A number of this machine's journal, or the uid of a run that is only in the vault. */
  readonly run: RunNumber | string;
  readonly listener: RunListener;
  readonly signal: AbortSignal;
};

export const resume = async (bench: Workbench, options: ResumeOptions): Promise<RunRecord> => {
  const journal = await bench.journal();
  if (typeof options.run === "number") await carryRunOver(bench, options.run);
  const number =
    typeof options.run === "number"
      ? options.run
      : await journal.importRun(await (await bench.vault()).runCopies.read(options.run));
  const { listener, signal } = options;
  const engine = await bench.engine();
  const { record } = await journal.readRun(number);
  const act = { action: "resume", service: record.service, detail: { run: number, uid: record.uid } } as const;
  const fromCopy = typeof options.run === "string";
  return audited(bench.audit, act, () => engine.resume(number, { fromCopy, listener, signal }), auditedRun);
};
