/**
 * Rows of the journal as records: reading and writing single things, inside whatever transaction the caller has. Rules about
 * what may be written are the caller's.
 */
import { z } from "zod";
import { type RunNumber, runNumberSchema } from "../model/identifiers.ts";
import { type ShownPlan, jointPlanSchema } from "../model/joint-plan.ts";
import { type Plan, planSchema } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunRecord, StepRecord } from "../model/run.ts";
import type { Database } from "../platform/sqlite.ts";
import { type EventDocument, type JournaledEvent, chainBegin, readEvent, writeEvent } from "./event-chain.ts";
import {
  type JournalStatements,
  type RunWithoutSteps,
  type StoredRun,
  prepareStatements,
  readRunRow,
  readStepRow,
  runChanges,
  runRow,
  stepChanges,
  stepRow,
} from "./journal-statements.ts";

/** Plans that were shown long ago are forgotten; a run keeps its own plan for ever. */
const shownPlansKept = 100;

/** An event as it is told, without what the journal adds. */
export type NewEvent = JournaledEvent extends infer Event
  ? Event extends JournaledEvent
    ? Omit<Event, "run" | "sequence">
    : never
  : never;

export class JournalTables {
  readonly #statements: JournalStatements;
  #appended: number[] = [];

  constructor(database: Database) {
    this.#statements = prepareStatements(database);
  }

  /** Sequence numbers that were appended since this was last asked. */
  takeAppended(): readonly number[] {
    const appended = this.#appended;
    this.#appended = [];
    return appended;
  }

  nextRunNumber(): RunNumber {
    return runNumberSchema.parse(this.#statements.nextRunNumber.get()?.["number"]);
  }

  findRun(number: number): StoredRun | null {
    const row = this.#statements.readRun.get(number);
    return row === undefined ? null : readRunRow(row);
  }

  /** @throws RefloatError run.unknown */
  readRun(number: number): StoredRun {
    const stored = this.findRun(number);
    if (stored !== null) return stored;
    throw new RefloatError("run.unknown", `there is no run ${number} in the journal`, { nextCommand: "refloat runs" });
  }

  findRunByUid(uid: string): StoredRun | null {
    const row = this.#statements.readRunByUid.get(uid);
    return row === undefined ? null : readRunRow(row);
  }

  /** Newest first. */
  listRuns(service: string | null): readonly StoredRun[] {
    return this.#statements.listRuns.all(service).map(readRunRow);
  }

  insertRun(stored: StoredRun, planText: string, steps: readonly StepRecord[]): void {
    const { number } = stored.run;
    this.#statements.insertRun.run(runRow(stored));
    this.#statements.insertRunPlan.run(number, planText);
    for (const [position, step] of steps.entries()) this.#statements.insertStep.run(stepRow(number, position, step));
  }

  replacePlan(number: number, digest: string, planText: string): void {
    this.#statements.updateRunPlan.run(planText, number);
    this.#statements.updateRunDigest.run(digest, number);
  }

  updateRun(run: RunWithoutSteps): void {
    this.#statements.updateRun.run(runChanges(run));
  }

  /** The run with all that belongs to it. */
  deleteRun(number: number): void {
    const { deleteEvents, deleteSteps, deleteRunPlan, deleteRun } = this.#statements;
    for (const statement of [deleteEvents, deleteSteps, deleteRunPlan, deleteRun]) statement.run(number);
  }

  readPlanText(number: number): string {
    return String(this.#statements.readRunPlan.get(number)?.["document"]);
  }

  readPlan(number: number): Plan {
    return parseAs(planSchema, this.readPlanText(number), `the plan of run ${number}`);
  }

  /** @throws RefloatError bug */
  readStep(number: number, id: string): StepRecord {
    const row = this.#statements.readStep.get(number, id);
    if (row === undefined) throw new RefloatError("bug", `run ${number} has no step ${id}`);
    return readStepRow(row);
  }

  updateStep(number: number, step: StepRecord): void {
    this.#statements.updateStep.run(stepChanges(number, step));
  }

  withSteps(run: RunWithoutSteps): RunRecord {
    return { ...run, steps: this.#statements.readSteps.all(run.number).map(readStepRow) };
  }

  append(run: RunWithoutSteps, told: NewEvent): JournaledEvent {
    const last = this.#statements.readLastEvent.get(run.number);
    const event: JournaledEvent = { ...told, run: run.number, sequence: Number(last?.["sequence"] ?? 0) + 1 };
    const previousHash = last === undefined ? chainBegin(run.uid, run.digest) : String(last["hash"]);
    this.insertEvent(run.number, event.sequence, writeEvent(event, previousHash));
    return event;
  }

  insertEvent(run: number, sequence: number, document: EventDocument): void {
    this.#statements.insertEvent.run(run, sequence, document.text, document.hash);
    this.#appended.push(sequence);
  }

  readEventDocuments(run: number): readonly EventDocument[] {
    return this.#statements.readEvents
      .all(run, 0)
      .map((row) => ({ text: String(row["document"]), hash: String(row["hash"]) }));
  }

  readEvents(run: number, afterSequence: number): readonly JournaledEvent[] {
    return this.#statements.readEvents.all(run, afterSequence).map((row) => readEvent(String(row["document"]), run));
  }

  saveShownPlan(digest: string, planText: string): void {
    this.#statements.forgetPlan.run(digest);
    this.#statements.insertPlan.run(digest, planText);
    this.#statements.forgetOldPlans.run(shownPlansKept);
  }

  /** At most two, since more than one is too many. @param prefix hex */
  findShownPlans(prefix: string): readonly ShownPlan[] {
    return this.#statements.findPlans
      .all(prefix)
      .map((row) => parseAs(shownPlanSchema, String(row["document"]), `plan ${String(row["digest"]).slice(0, 8)}`));
  }
}

const shownPlanSchema = z.union([planSchema, jointPlanSchema]);

/** @throws RefloatError plan.unknown when another version of the program wrote it in a form that this one does not know */
const parseAs = <Parsed>(schema: z.ZodType<Parsed>, text: string, what: string): Parsed => {
  const parsed = schema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new RefloatError("plan.unknown", `${what} has a form that this version does not know`, {
    cause: parsed.error,
    hint: "use the version of Refloat that made it, or plan anew",
  });
};
