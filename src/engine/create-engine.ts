/**
 * The embedded engine: executes runs in this process, journaled, one process per service at a time. What it does at each
 * interruption is told in docs/design/engine.md; the rules themselves are pure and stand in core/run.
 */
import type { Engine, Journal, Leases, RunListener, StepHandlers } from "../core/ports/engine.ts";
import type { Clock, Log } from "../core/ports/environment.ts";
import { isLive } from "../core/run/legal-transitions.ts";
import { hasAdmitBegun } from "../core/run/resume-rules.ts";
import { buildStepGraph } from "../core/run/step-graph.ts";
import { stepsAtOnce } from "../core/run/step-limits.ts";
import { fromCopyMessage } from "../core/run/stumbles.ts";
import { type RunNumber, shortId } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";
import { runBounded } from "./bounded-work.ts";
import { type DriveOptions, cancelledWords, driveBackward, driveForward, driveResumed } from "./drive-run.ts";
import { LiveRun } from "./live-run.ts";
import { RunWords } from "./run-words.ts";
import { createTakeoverGuard } from "./takeover-guard.ts";
import { type EngineLimits, type StepEnvironment, markerOf } from "./step-environment.ts";

/** Called at the run's turning points. One that fails or takes too long is noted in the run and does not stop it. */
export type EngineHooks = {
  /** All before the cutover is done, nothing of it has begun: copy the journal of the run now. */
  readonly beforeCutover?: (run: RunRecord, signal: AbortSignal) => Promise<void>;
  /** The run has come to an end or waits for a person: copy the journal of the run again. */
  readonly atEnd?: (run: RunRecord, signal: AbortSignal) => Promise<void>;
  /** This process has taken the run up and nothing was done yet: let other machines know. */
  readonly takenUp?: (run: RunRecord, signal: AbortSignal) => Promise<void>;
  /** Before each effect of the cutover and each that takes one back: who else has taken the run up, in a person's words, or null. */
  readonly takenUpElsewhere?: (run: RunRecord, signal: AbortSignal) => Promise<string | null>;
  /**
   * A run was taken up after its process had died: end what its interrupted attempts have left running, found by the markers
   * they start with (`refloat/42.8984525a/restore:db/`).
   */
  readonly beforeResume?: (run: RunRecord, markers: readonly string[], signal: AbortSignal) => Promise<void>;
};

export type EngineOptions = {
  readonly journal: Journal;
  readonly leases: Leases;
  readonly handlers: StepHandlers;
  readonly clock: Clock;
  readonly log: Log;
  readonly newUid: () => string;
  readonly hooks?: EngineHooks;
  readonly limits?: Partial<EngineLimits>;
};

const defaultLimits: EngineLimits = {
  concurrency: stepsAtOnce,
  graceMs: 30_000,
  progressIntervalMs: 100,
  firstRetryMs: 500,
  longestRetryMs: 30_000,
  hookMs: 60_000,
  askMs: 3_000,
  listenMs: 500,
};

type Act = { readonly listener: RunListener; readonly signal: AbortSignal };

export const createEngine = (options: EngineOptions): Engine => {
  const { journal, clock, log, handlers, hooks = {} } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const guard = createTakeoverGuard({ ask: hooks.takenUpElsewhere ?? null, clock, log, askMs: limits.askMs });
  const environment: StepEnvironment = { handlers, clock, log, limits, guard };
  const now = (): string => clock.now().toISOString();

  const callHook = async (live: LiveRun, what: string, hook: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    const stop = new AbortController().signal;
    const end = await runBounded(hook, { clock, timeoutMs: limits.hookMs, graceMs: 0, stop });
    if (end.kind === "returned") return;
    const why = end.kind === "threw" ? toRefloatError(end.error).message : "it took too long";
    log.warn(`${what} failed`, { run: live.number, why });
    await live.warn(`${what} failed: ${why}`);
  };

  /** Holds the service's lease around `work`. Work that is stuck may still act, so then the lease stays until the process ends. */
  const underLease = async (
    service: string,
    what: string,
    work: (hold: (live: LiveRun) => void) => Promise<void>,
  ): Promise<RunRecord> => {
    const lease = await options.leases.acquire(service, what).catch((error: unknown) => nameLiveRun(service, error));
    const held: LiveRun[] = [];
    try {
      await work((live) => held.push(live));
      const [live] = held;
      if (live === undefined) throw new RefloatError("bug", `nothing was executed for ${what}`);
      return live.record;
    } finally {
      if (!held.some(({ hasStuckWork }) => hasStuckWork)) await lease.release();
    }
  };

  /** The lease knows the process that holds it; the journal knows the run. */
  const nameLiveRun = async (service: string, error: unknown): Promise<never> => {
    if (!(error instanceof RefloatError) || error.code !== "run.in-progress") throw error;
    const running = (await journal.listRuns(service)).find(({ state }) => isLive(state));
    if (running === undefined) throw error;
    throw new RefloatError("run.in-progress", `run ${running.number} of ${service} is going on: ${error.message}`, {
      cause: error,
      hint: "follow it, or stop it where it runs",
      nextCommand: `refloat runs ${running.number}`,
      context: { run: running.number },
    });
  };

  const bringToLife = async (plan: Plan, record: RunRecord, act: Act, afterSequence: number): Promise<DriveOptions> => {
    const events = await journal.events(record.number, afterSequence);
    const begin = events.reduce((last, event) => (event.type === "progress" ? last : event.sequence), afterSequence);
    const words = new RunWords(journal, record.number, begin);
    const live = new LiveRun(plan, record, { journal, clock, log, words, listener: act.listener });
    for (const event of events) live.tell(event);
    const { beforeCutover } = hooks;
    return {
      live,
      environment,
      signal: act.signal,
      beforeCutover: async () => {
        if (beforeCutover !== undefined)
          await callHook(live, "copying the run before its cutover", (signal) => beforeCutover(live.record, signal));
      },
    };
  };

  const finish = async ({ live }: DriveOptions): Promise<void> => {
    const { atEnd } = hooks;
    // An interrupted run was told to stop soon; its next process copies it.
    if (atEnd !== undefined && live.record.state !== "interrupted")
      await callHook(live, "copying the run at its end", (signal) => atEnd(live.record, signal));
  };

  const takeUp = async (
    number: RunNumber,
    act: Act,
    refuse: (record: RunRecord, plan: Plan) => void,
    direction?: "cancel",
  ): Promise<{ readonly driven: DriveOptions; readonly before: RunRecord }> => {
    const { record: before, plan } = await journal.readRun(number);
    refuse(before, plan);
    const afterSequence = (await journal.events(number)).length;
    const record = await journal.takeUp(number, now(), direction);
    const driven = await bringToLife(plan, record, act, afterSequence);
    const markers = record.steps
      .filter(({ state, attempt }) => state === "interrupted" && attempt > 0)
      .map(({ id }) => markerOf(record, id, 0).slice(0, -1));
    const { beforeResume, takenUp } = hooks;
    if (takenUp !== undefined)
      await callHook(driven.live, "telling other machines of the run", (signal) => takenUp(record, signal));
    if (beforeResume !== undefined && markers.length > 0) {
      await callHook(driven.live, "ending what the interrupted process had left", (signal) =>
        beforeResume(record, markers, signal),
      );
    }
    return { driven, before };
  };

  const serviceOf = async (number: RunNumber): Promise<string> => (await journal.readRun(number)).record.service;

  return {
    execute: async (plan, { incidentAt, ...act }) => {
      buildStepGraph(plan.intent.steps);
      return underLease(plan.intent.service, `plan ${shortId(plan.digest)}`, async (hold) => {
        const record = await journal.createRun({ uid: options.newUid(), plan, at: now(), incidentAt });
        const driven = await bringToLife(plan, record, act, 0);
        hold(driven.live);
        await driveForward(driven);
        await finish(driven);
      });
    },
    resume: async (number, { fromCopy: isFresh = false, ...act }) =>
      underLease(await serviceOf(number), `run ${number}`, async (hold) => {
        const earlier = await journal.events(number);
        const fromCopy = earlier.some((event) => event.type === "run" && event.message === fromCopyMessage);
        const { driven, before } = await takeUp(number, act, refuseResume);
        hold(driven.live);
        // Written down, since this process may die too before the cutover's own steps are.
        if (isFresh && !fromCopy) await driven.live.note(fromCopyMessage);
        driven.live.fromCopy = fromCopy || isFresh;
        await driveResumed(driven, before);
        await finish(driven);
      }),
    cancel: async (number, act) =>
      underLease(await serviceOf(number), `run ${number}`, async (hold) => {
        const { driven } = await takeUp(number, act, refuseCancel, "cancel");
        hold(driven.live);
        await driveBackward(driven, "cancel", cancelledWords);
        await finish(driven);
      }),
  };
};

/** What the journal does not refuse by itself: an undone run has nothing to go on with. */
const refuseResume = (record: RunRecord): void => {
  if (record.state !== "undone") return;
  throw new RefloatError("run.wrong-state", `run ${record.number} cannot be resumed: its cutover was undone`, {
    hint: `plan anew, or remove what it built: refloat cancel ${record.number}`,
    nextCommand: `refloat plan ${record.service}`,
    context: { state: record.state },
  });
};

const refuseCancel = (record: RunRecord, plan: Plan): void => {
  if (!hasAdmitBegun(record, buildStepGraph(plan.intent.steps))) return;
  throw new RefloatError(
    "run.wrong-state",
    `run ${record.number} cannot be cancelled: traffic has been admitted to what it built`,
    {
      hint: "put the old side back by an undo",
      nextCommand: `refloat undo ${record.number}`,
      context: { state: record.state },
    },
  );
};
