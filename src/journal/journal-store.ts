/**
 * The journal's transactions, synchronous: each public method is one transaction, durable when it returns. Runs in the
 * journal's own thread, since a commit waits for the disk. Decides nothing about steps: what a transition does is
 * core/run/apply-transition.ts.
 */
import type { Transition } from "../core/ports/engine.ts";
import { applyTransition, closeSteps, takenUp } from "../core/run/apply-transition.ts";
import { mayFollow } from "../core/run/legal-transitions.ts";
import { refuseSecondRun } from "../core/run/refuse-second-run.ts";
import { takenUpMessage } from "../core/run/stumbles.ts";
import { type RunNumber, runNumberSchema } from "../model/identifiers.ts";
import { type Plan, planSchema } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { ShownPlan } from "../model/joint-plan.ts";
import type { JointRuns, RunDirection, RunEvent, RunRecord, StepRecord } from "../model/run.ts";
import type { RunWord } from "../model/run-word.ts";
import type { FaultPoint } from "../platform/fault-point.ts";
import {
  type Database,
  findCorruption,
  inSavepoint,
  inSnapshot,
  inTransaction,
  openDatabase,
} from "../platform/sqlite.ts";
import { readEvent } from "./event-chain.ts";
import { journalFailed, translateJournalError } from "./journal-errors.ts";
import { journalMigrations } from "./journal-schema.ts";
import type { RunWithoutSteps } from "./journal-statements.ts";
import { JournalTables } from "./journal-tables.ts";
import { refuseOutlivedUndo, refuseTakeUp } from "./run-conflicts.ts";
import { readRunCopy, writeRunCopy } from "./run-copy.ts";
import { importCopy } from "./run-import.ts";

export type NewRun = {
  readonly uid: string;
  readonly plan: Plan;
  readonly at: string;
  readonly incidentAt: string | null;
};

export type NewRuns = Omit<NewRun, "uid" | "plan"> & {
  readonly runs: readonly Pick<NewRun, "uid" | "plan">[];
  readonly joint: JointRuns;
};

export type RecordCall = readonly [run: RunNumber, epoch: number, at: string, transition: Transition];
export type RecordOutcome = { readonly value: RunEvent } | { readonly error: unknown };

export class JournalStore {
  readonly #path: string;
  readonly #fault: FaultPoint;
  readonly #database: Database;
  readonly #tables: JournalTables;

  /** @param path of the file, or `:memory:` @throws RefloatError journal.failed */
  constructor(path: string, fault: FaultPoint) {
    this.#path = path;
    this.#fault = fault;
    try {
      this.#database = openDatabase(path, journalMigrations);
    } catch (error) {
      throw translateJournalError(path, error);
    }
    try {
      const damage = findCorruption(this.#database);
      if (damage !== null) throw journalFailed(path, `it is damaged: ${damage}`, { hint: "move the file away" });
      this.#tables = new JournalTables(this.#database);
    } catch (error) {
      this.#database.close();
      throw translateJournalError(path, error);
    }
  }

  createRun(run: NewRun): RunRecord {
    return this.#write(() => this.#create(run));
  }

  createRuns({ runs, joint, at, incidentAt }: NewRuns): readonly RunRecord[] {
    return this.#write(() => runs.map(({ uid, plan }) => this.#create({ uid, plan, at, incidentAt }, joint)));
  }

  #create({ uid, plan, at, incidentAt }: NewRun, joint?: JointRuns): RunRecord {
    const { service, purpose, undoes } = plan.intent;
    const runs = this.#tables.listRuns(service);
    refuseSecondRun(
      runs.map(({ run }) => run),
      undoes?.runUid ?? null,
    );
    if (undoes !== null) {
      const records = runs.map(({ run }) => this.#tables.withSteps(run));
      refuseOutlivedUndo(records, undoes);
    }
    const number = this.#tables.nextRunNumber();
    const run: RunWithoutSteps = {
      number,
      uid,
      service,
      purpose,
      digest: plan.digest,
      state: "running",
      direction: "forward",
      message: null,
      epoch: 1,
      beganAt: at,
      endedAt: null,
      incidentAt,
      ...(joint === undefined ? {} : { joint }),
    };
    const steps = plan.intent.steps.map(({ id }) => neverBegun(id));
    this.#tables.insertRun({ run, madeAs: number }, JSON.stringify(plan), steps);
    this.#tables.append(run, { type: "run", at, state: "running" });
    return { ...run, steps };
  }

  record(...call: RecordCall): RunEvent {
    return this.#write(() => this.#apply(...call));
  }

  /**
   * Transitions that came while the disk was busy, in one commit: one wait for the disk instead of one for each. One that is refused
   * leaves nothing and takes no other with it; if the commit fails, all have failed.
   */
  recordTogether(calls: readonly RecordCall[]): readonly RecordOutcome[] {
    try {
      return this.#write(() =>
        calls.map((call) => {
          try {
            return { value: inSavepoint(this.#database, () => this.#apply(...call)) };
          } catch (error) {
            if (!this.#database.isTransaction) throw error;
            return { error: translateJournalError(this.#path, error) };
          }
        }),
      );
    } catch (error) {
      return calls.map(() => ({ error }));
    }
  }

  #apply(number: RunNumber, epoch: number, at: string, transition: Transition): RunEvent {
    const { run } = this.#tables.readRun(number);
    if (run.epoch !== epoch) throw fenced(run, epoch);
    const current = transition.step === undefined ? null : this.#tables.readStep(number, transition.step.id);
    const after = applyTransition(run, current, transition);
    if (after.step !== null) {
      this.#tables.updateStep(number, after.step);
      return this.#tables.append(run, { type: "step", at, ...told(after.step) });
    }
    this.#tables.updateRun(after.run);
    if (after.run.state === "cancelled") this.#closeSteps(after.run);
    if (after.run.state === "succeeded" && run.purpose === "undo") this.#markUndone(after.run, at);
    const message = transition.run?.message;
    return this.#tables.append(after.run, {
      type: "run",
      at,
      state: after.run.state,
      ...(message === undefined ? {} : { message }),
    });
  }

  say(number: RunNumber, at: string, word: RunWord): RunEvent {
    return this.#write(() => {
      const { run } = this.#tables.readRun(number);
      refuseIfEnded(run);
      return this.#tables.append(run, { type: "word", at, word });
    });
  }

  edit(number: RunNumber, at: string, word: RunWord, plan: Plan): RunEvent {
    return this.#write(() => {
      const { run } = this.#tables.readRun(number);
      refuseIfEnded(run);
      if (run.digest !== word.edit?.before || plan.digest !== word.edit.after)
        throw new RefloatError("run.wrong-state", `run ${number} has been edited meanwhile`, {
          hint: "look at it again first",
          nextCommand: `refloat runs ${number}`,
          context: { run: number, digest: run.digest },
        });
      this.#tables.replacePlan(number, plan.digest, JSON.stringify(plan));
      return this.#tables.append(run, { type: "word", at, word });
    });
  }

  takeUp(number: RunNumber, at: string, asked: RunDirection | null): RunRecord {
    return this.#write(() => {
      const stored = this.#tables.readRun(number);
      const later = this.#tables.listRuns(stored.run.service).filter(({ run }) => run.number > number);
      const direction = asked ?? stored.run.direction;
      refuseTakeUp(stored, later, direction, this.#tables.readPlan(number));
      const before = this.#tables.withSteps(stored.run);
      const after = takenUp(before, direction);
      this.#tables.updateRun(after);
      for (const [position, step] of after.steps.entries()) {
        if (step.state === before.steps[position]?.state) continue;
        this.#tables.updateStep(number, step);
        this.#tables.append(after, { type: "step", at, ...told(step) });
      }
      this.#tables.append(after, { type: "run", at, state: after.state, message: takenUpMessage(after.epoch) });
      return after;
    });
  }

  readRun(number: RunNumber): { readonly record: RunRecord; readonly plan: Plan } {
    return this.#read(() => {
      const { run } = this.#tables.readRun(number);
      return { record: this.#tables.withSteps(run), plan: this.#tables.readPlan(number) };
    });
  }

  listRuns(service: string | null): readonly RunRecord[] {
    return this.#read(() => this.#tables.listRuns(service).map(({ run }) => this.#tables.withSteps(run)));
  }

  events(number: RunNumber, afterSequence: number): readonly RunEvent[] {
    return this.#read(() => {
      this.#tables.readRun(number);
      return this.#tables.readEvents(number, afterSequence);
    });
  }

  savePlan(plan: ShownPlan): void {
    this.#write(() => this.#tables.saveShownPlan(plan.digest, JSON.stringify(plan)));
  }

  readPlan(digest: string): ShownPlan {
    return this.#read(() => {
      const isHex = /^[0-9a-f]{1,64}$/.test(digest);
      const [plan, another] = isHex ? this.#tables.findShownPlans(digest) : [];
      if (plan !== undefined && another === undefined) return plan;
      throw another === undefined
        ? new RefloatError("plan.unknown", `no plan ${digest} was shown on this machine`, {
            hint: "have it shown first: refloat plan SERVICE",
            nextCommand: "refloat status",
          })
        : new RefloatError("plan.unknown", `more than one plan that was shown begins with ${digest}`, {
            hint: "give more of the digest",
          });
    });
  }

  exportRun(number: RunNumber): Uint8Array {
    return this.#read(() => {
      const { run, madeAs } = this.#tables.readRun(number);
      return writeRunCopy({
        madeAs,
        record: this.#tables.withSteps(run),
        planText: this.#tables.readPlanText(number),
        events: this.#tables.readEventDocuments(number),
      });
    });
  }

  importRun(copy: Uint8Array): RunNumber {
    const run = readRunCopy(copy);
    return this.#write(() => importCopy(this.#tables, run));
  }

  readCopy(copy: Uint8Array): {
    readonly record: RunRecord;
    readonly plan: Plan;
    readonly events: readonly RunEvent[];
  } {
    const { madeAs, record, planText, events } = readRunCopy(copy);
    const number = runNumberSchema.parse(madeAs);
    return {
      record: { ...record, number },
      plan: planSchema.parse(JSON.parse(planText)),
      events: events.map(({ text }) => readEvent(text, number)),
    };
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  /** A run that takes another one back and succeeds says so in that run too, in the same transaction. */
  #markUndone(run: RunWithoutSteps, at: string): void {
    const { undoes } = this.#tables.readPlan(run.number).intent;
    const undone = undoes === null ? null : this.#tables.findRunByUid(undoes.runUid);
    // The undone run may be known to another journal only; and what one run has undone, no other one has.
    if (undone === null || undone.run.state === "undone" || !mayFollow.run(undone.run.state, "undone")) return;
    const message = `undone by run ${run.number}`;
    const after: RunWithoutSteps = { ...undone.run, state: "undone", endedAt: undone.run.endedAt ?? at, message };
    this.#tables.updateRun(after);
    this.#tables.append(after, { type: "run", at, state: "undone", message });
  }

  #closeSteps(run: RunWithoutSteps): void {
    for (const step of this.#tables.withSteps(run).steps) {
      const closed = closeSteps(run, step);
      if (closed !== step) this.#tables.updateStep(run.number, closed);
    }
  }

  #write<Result>(work: () => Result): Result {
    this.#tables.takeAppended();
    try {
      const { result, appended } = inTransaction(this.#database, () => {
        const outcome = { result: work(), appended: this.#tables.takeAppended() };
        for (const sequence of outcome.appended) this.#fault.beforeCommit(sequence);
        return outcome;
      });
      for (const sequence of appended) this.#fault.afterCommit(sequence);
      return result;
    } catch (error) {
      throw translateJournalError(this.#path, error);
    }
  }

  #read<Result>(work: () => Result): Result {
    try {
      return inSnapshot(this.#database, work);
    } catch (error) {
      throw translateJournalError(this.#path, error);
    }
  }
}

const refuseIfEnded = ({ number, state }: RunWithoutSteps): void => {
  if (!["succeeded", "cancelled", "committed", "undone"].includes(state)) return;
  throw new RefloatError("run.wrong-state", `run ${number} has ended (${state}): there is nothing to say to it`, {
    nextCommand: `refloat runs ${number}`,
    context: { run: number, state },
  });
};

const neverBegun = (id: StepRecord["id"]): StepRecord => ({
  id,
  state: "pending",
  attempt: 0,
  intent: null,
  output: null,
  error: null,
  beganAt: null,
  endedAt: null,
  durationMs: 0,
});

/** What an event says of a step. */
const told = ({ id, state, attempt, durationMs, output, error }: StepRecord) => ({
  step: id,
  state,
  attempt,
  durationMs,
  output,
  error,
});

const fenced = (run: RunWithoutSteps, epoch: number): RefloatError =>
  new RefloatError("run.fenced", `run ${run.number} was taken up by another process; this one must stop`, {
    context: { run: run.number, epoch, currentEpoch: run.epoch },
  });
