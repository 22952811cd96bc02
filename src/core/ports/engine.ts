/** The engine, its step handlers and its journal, as ports: one contract suite, so that a distributed engine can stand in later. */
import type { StepId, RunNumber } from "../../model/identifiers.ts";
import type { JointPlan, ShownPlan } from "../../model/joint-plan.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Plan, PlanIntent, PlanStep, StepAction, StepKind } from "../../model/plan.ts";
import type { JointRuns, RunDirection, RunEvent, RunRecord, RunState, StepRecord, StepState } from "../../model/run.ts";
import type { RunWord, SpokenWord } from "../../model/run-word.ts";
import type { Clock, Log, ReportProgress } from "./environment.ts";
import type { Presence } from "./driver.ts";

/** What a step handler is given. Everything it learns from elsewhere comes from the plan and from outputs of done steps. */
export type StepContext<Action extends StepAction = StepAction> = {
  readonly plan: PlanIntent;
  readonly step: PlanStep;
  readonly action: Action;
  readonly run: {
    readonly number: RunNumber;
    readonly uid: string;
    /** It was taken over from a copy: the world may be further than its journal. */
    readonly fromCopy: boolean;
  };
  readonly attempt: number;
  /** What `prepare` returned in this or an earlier attempt; journaled before any effect. */
  readonly intent: JsonObject;
  /** Outputs of steps that are done, by step id; the step's own only while it is done (see StepHandler). */
  readonly outputs: ReadonlyMap<StepId, JsonObject>;
  /** What an earlier attempt of this step kept when it ended in a wait; null when none did. */
  readonly waited: JsonObject | null;
  /** Intents of all steps that have begun, by step id; what a compensation needs to know how things were. */
  readonly intents: ReadonlyMap<StepId, JsonObject>;
  readonly clock: Clock;
  readonly log: Log;
  readonly progress: ReportProgress;
  /** What people have said to this step since it last failed, in order. */
  readonly words: () => Promise<readonly SpokenWord[]>;
  /** Keeps what the person at this terminal says to this step. */
  readonly say: (word: Omit<RunWord, "step">) => Promise<void>;
  /** Kept as a warning of the run, for its report and whoever follows it. */
  readonly warn: (message: string) => Promise<void>;
  readonly signal: AbortSignal;
  /** `refloat/RUN/STEP/ATTEMPT` */
  readonly marker: string;
};

export type StepResult =
  | { readonly kind: "done"; readonly output: JsonObject }
  /** An expected refusal: a check failed. Fails the step without a retry. */
  | { readonly kind: "failed"; readonly message: string; readonly hint?: string; readonly output: JsonObject }
  /** A person is needed before it can go on; the run waits. `keep`: what the next attempt is to know (`waited`). */
  | {
      readonly kind: "waiting";
      readonly for: "approval" | "person";
      readonly message: string;
      readonly keep?: JsonObject;
    }
  /** A person has said that it is not needed. */
  | { readonly kind: "skipped"; readonly message: string };

/**
 * One kind of step. Rules:
 * - `check` is asked before every attempt; an outcome that is not known is inspected, never repeated.
 * - On resume it is asked again of each done step whose effect must still stand (core/run/resume-rules.ts says which: not of what a
 *   later step has taken over). Then `outputs` holds the step's own output; before an attempt it does not. A step without an effect
 *   of its own (a check, an approval) answers `done` exactly when its own output is there.
 * - A done step whose effect is gone is applied again, and so are the done steps that need it: they lose their outputs first.
 * - No two calls for one step of one run ever overlap; different steps run at once.
 */
export type StepHandler<Kind extends StepKind = StepKind> = {
  readonly kind: Kind;
  /**
   * Reads the world and returns what must be remembered before any effect: deterministic names, identities before and after. No effect.
   * Journaled once and kept for all later attempts: what may differ between attempts (a free port) is not an intent.
   */
  readonly prepare: (context: StepContext<Extract<StepAction, { kind: Kind }>>) => Promise<JsonObject>;
  /** Is the effect there? On `done` the output is given again, for a run whose journal had not got it yet. */
  readonly check: (
    context: StepContext<Extract<StepAction, { kind: Kind }>>,
  ) => Promise<{ readonly presence: Presence; readonly output?: JsonObject }>;
  /** Removes what a `partial` attempt left, so that `apply` may run again. */
  readonly clear: (context: StepContext<Extract<StepAction, { kind: Kind }>>) => Promise<void>;
  readonly apply: (context: StepContext<Extract<StepAction, { kind: Kind }>>) => Promise<StepResult>;
  /** Takes the effect back: automatic undo of a cutover, or cancel. Idempotent; the step may have been done, partial or only begun. */
  readonly compensate: (context: StepContext<Extract<StepAction, { kind: Kind }>>) => Promise<void>;
  readonly timeoutMs: number;
  /** After how long without progress the run is warned, for steps that show it; never when left out. */
  readonly quietMs?: number;
  /** How often a retryable error is tried again. */
  readonly retries: number;
};

export type StepHandlers = { readonly [Kind in StepKind]: StepHandler<Kind> };

/** One durable transition; all of it or nothing. */
export type Transition = {
  readonly step?: { readonly id: StepId; readonly state: StepState } & Partial<
    Pick<StepRecord, "attempt" | "intent" | "output" | "error" | "beganAt" | "endedAt" | "durationMs">
  >;
  /** A message with the state unchanged is a note: told and kept as an event, without a change of the record. */
  readonly run?: {
    readonly state: RunState;
    readonly direction?: RunDirection;
    readonly endedAt?: string | null;
    readonly message?: string;
  };
};

/**
 * The journal: durable when a call resolves (one FULL commit). Every write names the epoch of its writer and is refused with
 * run.fenced when a later process has taken the run up.
 */
export type Journal = {
  /**
   * T0: run, plan bytes, digest, steps, in one transaction.
   * @throws RefloatError run.in-progress if the service has a live run; run.wrong-state if the plan undoes a run that does not serve
   * any more (undone, committed, cut over by a later one)
   */
  readonly createRun: (options: {
    readonly uid: string;
    readonly plan: Plan;
    readonly at: string;
    readonly incidentAt: string | null;
  }) => Promise<RunRecord>;
  /** T0 of runs that are begun together: all of them, with consecutive numbers, or none. @throws as `createRun` */
  readonly createRuns: (options: {
    readonly runs: readonly { readonly uid: string; readonly plan: Plan }[];
    readonly joint: JointRuns;
    readonly at: string;
    readonly incidentAt: string | null;
  }) => Promise<readonly RunRecord[]>;
  /**
   * The transition by which an undo succeeds also makes the run that it undid `undone`, at once: no kill lies between the two.
   * @returns the event with its sequence number
   */
  readonly record: (run: RunNumber, epoch: number, at: string, transition: Transition) => Promise<RunEvent>;
  /**
   * Keeps what a person says to a run, whoever executes it. Changes nothing of the run: who executes it looks for words.
   * @throws RefloatError run.unknown, run.wrong-state if it has ended for good
   */
  readonly say: (run: RunNumber, at: string, word: RunWord) => Promise<RunEvent>;
  /**
   * Puts an edited plan in the place of the run's, and keeps the word by which that was done. The caller holds the service's lease: nobody
   * executes the run.
   * @throws RefloatError run.wrong-state if the run has ended for good, or its plan is no longer the one that the word names as before
   */
  readonly edit: (run: RunNumber, at: string, word: RunWord, plan: Plan) => Promise<RunEvent>;
  /**
   * Takes a run up: epoch + 1, state running, running and compensating steps become interrupted.
   * @param direction when it is to go another way from now on; in the same transaction
   * @throws RefloatError run.wrong-state if it has ended for good; and unless it is (being) cancelled, run.wrong-state or
   * run.in-progress if a later run of the service stands in the way
   */
  readonly takeUp: (run: RunNumber, at: string, direction?: RunDirection) => Promise<RunRecord>;
  readonly readRun: (run: RunNumber) => Promise<{ readonly record: RunRecord; readonly plan: Plan }>;
  /** Newest first. */
  readonly listRuns: (service?: string) => Promise<readonly RunRecord[]>;
  readonly events: (run: RunNumber, afterSequence?: number) => Promise<readonly RunEvent[]>;
  /** Plans that were shown, so that `--plan DIGEST` can run exactly what was seen. */
  readonly savePlan: (plan: ShownPlan) => Promise<void>;
  /** @param digest full or unique prefix @throws RefloatError plan.unknown */
  readonly readPlan: (digest: string) => Promise<ShownPlan>;
  /** A copy for the vault: run, plan, steps, events as JSON lines. */
  readonly exportRun: (run: RunNumber) => Promise<Uint8Array>;
  /** Takes a copy from the vault over, under a free number of this journal if its own is taken. @returns the number */
  readonly importRun: (copy: Uint8Array) => Promise<RunNumber>;
  /** What a copy says, taken in by nobody; the run has the number that it was made as. @throws RefloatError journal.failed for one that cannot be trusted */
  readonly readCopy: (copy: Uint8Array) => Promise<{
    readonly record: RunRecord;
    readonly plan: Plan;
    readonly events: readonly RunEvent[];
  }>;
  readonly close: () => Promise<void>;
};

/** Held by the process that executes a run: one recovery per service at a time. Freed by the operating system when the process dies. */
export type Leases = {
  /** @throws RefloatError run.in-progress naming the holder */
  readonly acquire: (service: string, holder: string) => Promise<{ readonly release: () => Promise<void> }>;
  /** Who executes a run of the service now, in a person's words; null when nobody does: a `running` run was then interrupted. */
  readonly holder: (service: string) => Promise<string | null>;
};

export type RunListener = (event: RunEvent) => void;

export type Engine = {
  /** Creates the run and executes it to its end or to a wait. Resolves with the final record; throws only for bugs and for the journal. */
  readonly execute: (
    plan: Plan,
    options: { readonly incidentAt: string | null; readonly listener: RunListener; readonly signal: AbortSignal },
  ) => Promise<RunRecord>;
  /**
   * Takes an interrupted, waiting or failed run up again.
   * @param options `fromCopy`: it was just imported, and the machine that made the copy may have gone on after it
   */
  readonly resume: (
    run: RunNumber,
    options: { readonly fromCopy?: boolean; readonly listener: RunListener; readonly signal: AbortSignal },
  ) => Promise<RunRecord>;
  /**
   * Creates a run for each part of the plan, all or none, and executes them as one graph under the leases of all their services. A part that
   * does not succeed ends what waits for it, and nothing else. Resolves with the final records in the order of the parts.
   */
  readonly executeJoint: (
    plan: JointPlan,
    options: { readonly incidentAt: string | null; readonly listener: RunListener; readonly signal: AbortSignal },
  ) => Promise<readonly RunRecord[]>;
  /** Takes up this run and all that were begun together with it and have not come to a good end. @returns those that were taken up */
  readonly resumeJoint: (
    run: RunNumber,
    options: { readonly fromCopy?: boolean; readonly listener: RunListener; readonly signal: AbortSignal },
  ) => Promise<readonly RunRecord[]>;
  /** Stops a run before its cutover and removes what it built. @throws RefloatError run.wrong-state after the cutover (undo it instead) */
  readonly cancel: (
    run: RunNumber,
    options: { readonly listener: RunListener; readonly signal: AbortSignal },
  ) => Promise<RunRecord>;
};
