/**
 * resume: takes an interrupted, waiting or failed run up where it stopped. A run that this machine does not know is taken from
 * its copy in the vault.
 */
import { audited } from "../core/audit/audited.ts";
import { auditedRun } from "../core/audit/audited-run.ts";
import { awayNumber } from "../core/failback/away-number.ts";
import { carryRunOver } from "../core/run/carry-run-over.ts";
import type { RunListener } from "../core/ports/engine.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { type RunNumber, shortId } from "../model/identifiers.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";

export type ResumeOptions = {
  /** A number of this machine's journal, or the uid of a run that is only in the vault. */
  readonly run: RunNumber | string;
  readonly listener: RunListener;
  readonly signal: AbortSignal;
};

/** @returns the run, and before or after it those that were begun together with it and were taken up as well */
export const resume = async (bench: Workbench, options: ResumeOptions): Promise<readonly RunRecord[]> => {
  const journal = await bench.journal();
  const fromCopy = typeof options.run === "string";
  if (typeof options.run === "string") await refuseWayHome(bench, options.run);
  if (typeof options.run === "number") await carryRunOver(bench, options.run);
  const number = typeof options.run === "number" ? options.run : await takeOver(bench, options.run);
  const { listener, signal } = options;
  const engine = await bench.engine();
  const { record } = await journal.readRun(number);
  const act = { action: "resume", service: record.service, detail: { run: number, uid: record.uid } } as const;
  if (record.joint === undefined)
    return [await audited(bench.audit, act, () => engine.resume(number, { fromCopy, listener, signal }), auditedRun)];
  if (!fromCopy) await carryOthersOver(bench, record);
  return audited(
    bench.audit,
    act,
    () => engine.resumeJoint(number, { fromCopy, listener, signal }),
    (records) => {
      const together = records.map((one) => ({ service: one.service, ...auditedRun(one).detail, outcome: one.state }));
      const own = records.find((one) => one.number === number) ?? record;
      return { outcome: own.state, detail: { ...auditedRun(own).detail, together } };
    },
  );
};

/** With all that were begun together with it: the number of one means something only beside the others. */
const takeOver = async (bench: Workbench, uid: string): Promise<RunNumber> => {
  const journal = await bench.journal();
  const { runCopies } = await bench.vault();
  const number = await journal.importRun(await runCopies.read(uid));
  const { record } = await journal.readRun(number);
  for (const member of record.joint?.members ?? []) {
    // One that came to no cutover and no end was never copied: the engine tells of each that is not known here.
    if (member.uid !== record.uid && (await runCopies.of(member.uid)).length > 0)
      await journal.importRun(await runCopies.read(member.uid));
  }
  return number;
};

const carryOthersOver = async (bench: Workbench, { joint, uid }: RunRecord): Promise<void> => {
  const runs = await (await bench.journal()).listRuns();
  for (const run of runs)
    if (run.uid !== uid && joint?.members.some((member) => member.uid === run.uid) === true)
      await carryRunOver(bench, run.number);
};

/**
 * A copy of a run is made before its cutover: it does not tell whether the side elsewhere is put away already, and a last point of it could not be taken.
 * @throws RefloatError run.wrong-state
 */
const refuseWayHome = async (bench: Workbench, uid: string): Promise<void> => {
  const { runCopies } = await bench.vault();
  const { record, plan } = await (await bench.journal()).readCopy(await runCopies.read(uid));
  const { failback, undoes } = plan.intent;
  if (failback === undefined) return;
  const [newest] = await runCopies.of(record.uid);
  const there = newest === undefined ? "there" : `on ${newest.hostname}`;
  const kept = `old${awayNumber(failback.runUid)}`;
  throw new RefloatError(
    "run.wrong-state",
    `run ${record.number} of ${record.service} is a way home, and goes on only where it began, ${there}`,
    {
      state: "nothing was done here",
      hint:
        `log in there and say: refloat resume ${record.number}; if that machine is lost, look at the side that it ${undoes === null ? "leaves" : "goes back to"}: what it has put away there bears a name with ${kept}; ` +
        "give it its own name back by hand (a database: ALLOW_CONNECTIONS true), start it, and plan anew",
      nextCommand: `refloat plan ${record.service} --failback ${shortId(failback.runUid)}`,
    },
  );
};
