/**
 * The embedded engine: executes runs in this process, journaled, one process per service at a time. What it does at each
 * interruption is told in docs/design/engine.md; the rules themselves are pure and stand in core/run.
 */
import type { Engine, Journal, Leases, RunListener, StepHandlers } from "../core/ports/engine.ts";
import type { Clock, Log } from "../core/ports/environment.ts";
import { acquireAll } from "../core/run/acquire-all.ts";
import { isLive } from "../core/run/legal-transitions.ts";
import { hasSideToPutBack } from "../core/run/refuse-undo.ts";
import { hasAdmitBegun, hasCutoverBegun } from "../core/run/resume-rules.ts";
import { buildStepGraph } from "../core/run/step-graph.ts";
import { stepsAtOnce } from "../core/run/step-limits.ts";
import { fromCopyMessage } from "../core/run/stumbles.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import { type RunNumber, shortId } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import type { JointRuns, RunRecord } from "../model/run.ts";
import { runBounded } from "./bounded-work.ts";
import { type DriveOptions, cancelledWords, driveBackward, driveForward, driveResumed } from "./drive-run.ts";
import { type JointMember, type SettledMember, driveJointly } from "./drive-joint.ts";
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
  /** What was found of a service that works; null for one that does not, or of which it cannot be told. */
  readonly isWell?: (service: ServiceDeclaration, signal: AbortSignal) => Promise<string | null>;
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

type Act = {
  readonly listener: RunListener;
  readonly signal: AbortSignal;
  /** Runs that this process executes together; filled as they are taken up. */
  readonly together?: Together;
};

type Together = {
  readonly runs: LiveRun[];
  /** Whose turn has come: it may act on what is live, so that nobody begins a copy of it any more. */
  readonly turned: Set<LiveRun>;
  /**
   * Stores a copy of it, at most one at a time: who asks while another lane stores one waits for that one, and for nothing else that the
   * lane stores. None acts on what is live while a copy of it is being stored, which would look like another machine's.
   */
  readonly copyOnce: (live: LiveRun, copy: (live: LiveRun) => Promise<void>) => Promise<void>;
  /** Resolves when no copy of it is being stored. */
  readonly copied: (live: LiveRun) => Promise<void>;
};

const createTogether = (): Together => {
  const storing = new Map<LiveRun, Promise<void>>();
  return {
    runs: [],
    turned: new Set(),
    copyOnce: (live, copy) => {
      const known = storing.get(live);
      if (known !== undefined) return known;
      const stored = copy(live).finally(() => storing.delete(live));
      storing.set(live, stored);
      return stored;
    },
    copied: async (live) => storing.get(live),
  };
};

/** Those that were begun together are looked for together where this machine is lost. */
const isCopiedForOthers = (live: LiveRun, { turned }: Together): boolean =>
  !turned.has(live) && isLive(live.record.state) && !hasCutoverBegun(live.record, live.graph);

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

  /** Holds the leases of the services around `work`. Work that is stuck may still act, so then they stay until the process ends. */
  const underLeases = async (
    services: readonly string[],
    what: string,
    work: (hold: (live: LiveRun) => void) => Promise<void>,
  ): Promise<readonly RunRecord[]> => {
    const lease = await acquireAll(options.leases, services, what, nameLiveRun);
    const held: LiveRun[] = [];
    try {
      await work((live) => held.push(live));
      return held.map(({ record }) => record);
    } finally {
      if (!held.some(({ hasStuckWork }) => hasStuckWork)) await lease.release();
    }
  };

  const underLease = async (
    service: string,
    what: string,
    work: (hold: (live: LiveRun) => void) => Promise<void>,
  ): Promise<RunRecord> => {
    const [record] = await underLeases([service], what, work);
    if (record === undefined) throw new RefloatError("bug", `nothing was executed for ${what}`);
    return record;
  };

  /** The lease knows the process that holds it; the journal knows the run. */
  const nameLiveRun = async (service: string, error: RefloatError): Promise<RefloatError> => {
    const running = (await journal.listRuns(service)).find(({ state }) => isLive(state));
    if (running === undefined) return error;
    return new RefloatError("run.in-progress", `run ${running.number} of ${service} is going on: ${error.message}`, {
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
    let leftAlone = false;
    return {
      live,
      environment,
      signal: act.signal,
      isLeftAlone: () => leftAlone,
      beforeCutover: async () => {
        const found = await worksAgain(live, act.signal);
        leftAlone = found !== null;
        const { together } = act;
        if (found !== null) {
          together?.turned.add(live);
          await together?.copied(live);
          return `${plan.intent.service} works again and is left alone (${found}); what was restored is removed`;
        }
        if (beforeCutover === undefined) return null;
        const copy = (one: LiveRun): Promise<void> =>
          callHook(live, "copying the run before its cutover", (signal) => beforeCutover(one.record, signal));
        if (together === undefined) await copy(live);
        else {
          together.turned.add(live);
          // What another lane has stored of it is older than what it stores itself.
          await together.copied(live);
          const others = together.runs.filter((one) => isCopiedForOthers(one, together));
          await Promise.all([copy(live), ...others.map((one) => together.copyOnce(one, copy))]);
        }
        return null;
      },
    };
  };

  /**
   * Of a service that is recovered for the sake of another one, since it did not work when it was asked: hours may have passed, and what it
   * lacked may be back.
   * @returns what was found of one that works
   */
  const worksAgain = async (live: LiveRun, signal: AbortSignal): Promise<string | null> => {
    const { purpose, service, declaration } = live.plan.intent;
    const { joint } = live.record;
    if (joint === undefined || joint.asked === service || purpose !== "recover") return null;
    // It may work because the machine that made the copy has switched it: that is to be finished, not called off.
    if (live.fromCopy) return null;
    return askWhetherWell(declaration, signal);
  };

  const askWhetherWell = async (declaration: ServiceDeclaration, signal: AbortSignal): Promise<string | null> => {
    try {
      return (await hooks.isWell?.(declaration, signal)) ?? null;
    } catch (error) {
      log.warn("a service could not be asked whether it works", {
        service: declaration.name,
        why: toRefloatError(error).message,
      });
      return null;
    }
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

  const takeUpForward = async (number: RunNumber, act: Act, isFresh: boolean, hold: (live: LiveRun) => void) => {
    const earlier = await journal.events(number);
    const fromCopy = earlier.some((event) => event.type === "run" && event.message === fromCopyMessage);
    const taken = await takeUp(number, act, refuseResume);
    const { live } = taken.driven;
    hold(live);
    // Written down, since this process may die too before the cutover's own steps are.
    if (isFresh && !fromCopy) await live.note(fromCopyMessage);
    live.fromCopy = fromCopy || isFresh;
    return taken;
  };

  const serviceOf = async (number: RunNumber): Promise<string> => (await journal.readRun(number)).record.service;

  /** Those that were begun together with a run, itself among them, in the order of their plan. */
  const membersOf = async (record: RunRecord): Promise<readonly RunRecord[]> => {
    const { joint } = record;
    if (joint === undefined) return [record];
    const runs = await journal.listRuns();
    return joint.members.flatMap(({ uid }) => runs.find((run) => run.uid === uid) ?? []);
  };

  /** Of one that was lost with its machine before a copy of it was stored, nothing is known here, and nothing waits for it. */
  const tellUnknown = async (live: LiveRun, runs: readonly RunRecord[]): Promise<void> => {
    const known = new Set(runs.map(({ uid }) => uid));
    for (const { service, uid } of live.record.joint?.members ?? [])
      if (!known.has(uid))
        await live.warn(
          `${service}, which was begun together with it, is not gone on with: its run ${shortId(uid)} is not known here, and the vault had no copy of it. ` +
            `It had come to no cutover when the last copy was made, and nothing here waits for it; see whether it works, and recover it by itself: refloat plan ${service}`,
        );
  };

  const togetherOptions = (act: Act) => {
    const broken = new AbortController();
    return {
      broken,
      act: { ...act, signal: AbortSignal.any([act.signal, broken.signal]), together: createTogether() },
    };
  };

  /** Of one that does not go forward any more: its service may be there all the same. */
  const standsAnyway = async (record: RunRecord, plan: Plan, signal: AbortSignal): Promise<boolean> =>
    record.state === "succeeded" ||
    record.state === "committed" ||
    (record.purpose === "recover" && (await askWhetherWell(plan.intent.declaration, signal)) !== null);

  /** Of one that was begun together with those that are taken up. As it is now: another process may have ended it before we had the leases. */
  const settle = async (number: RunNumber, signal: AbortSignal): Promise<SettledMember> => {
    const { record, plan } = await journal.readRun(number);
    return { record, plan, isThere: await standsAnyway(record, plan, signal) };
  };

  const shared = {
    concurrency: limits.concurrency,
    finish,
    // Who needs a person may work by chance; who was taken back or given up is as it was before, or left alone.
    standsAnyway: async ({ live: { record, plan }, signal }: DriveOptions) =>
      (record.state === "cancelled" || record.state === "undone") && (await standsAnyway(record, plan, signal)),
  };

  return {
    executeJoint: async (plan, { incidentAt, ...given }) => {
      const services = plan.parts.map(({ intent }) => intent.service);
      const { broken, act } = togetherOptions(given);
      for (const { intent } of plan.parts) buildStepGraph(intent.steps);
      return underLeases(services, `plan ${shortId(plan.digest)}`, async (hold) => {
        const runs = plan.parts.map((part) => ({ uid: options.newUid(), plan: part }));
        const joint: JointRuns = {
          uid: options.newUid(),
          digest: plan.digest,
          asked: plan.intent.asked,
          members: runs.map(({ uid, plan: part }) => ({ service: part.intent.service, uid })),
        };
        const records = await journal.createRuns({ runs, joint, at: now(), incidentAt });
        const members: JointMember[] = [];
        for (const [index, part] of plan.parts.entries()) {
          const record = records[index];
          if (record === undefined)
            throw new RefloatError("bug", "the journal made fewer runs than the plan has parts");
          const driven = await bringToLife(part, record, act, 0);
          hold(driven.live);
          act.together.runs.push(driven.live);
          members.push({ driven, before: null });
        }
        await driveJointly({ ...shared, members, settled: [], broken });
      });
    },
    resumeJoint: async (number, { fromCopy = false, ...given }) => {
      const { broken, act } = togetherOptions(given);
      const { record } = await journal.readRun(number);
      const runs = await membersOf(record);
      const resumable = runs.filter(({ state }) => mayBeResumed.has(state));
      // One that is there needs nothing more; who names it means the recovery that it belongs to.
      const isDone = (record.state === "succeeded" || record.state === "committed") && resumable.length > 0;
      const wanted = isDone ? resumable : runs.filter((run) => run.number === number || mayBeResumed.has(run.state));
      const named = isDone ? resumable[0]?.number : number;
      return underLeases(
        wanted.map(({ service }) => service),
        `run ${number}`,
        async (hold) => {
          const members: JointMember[] = [];
          const left = new Set(runs.map((run) => run.number));
          // The one that was named first: if it cannot be taken up, none is.
          for (const run of wanted.toSorted(
            (one, other) => Number(other.number === named) - Number(one.number === named),
          ))
            try {
              const taken = await takeUpForward(run.number, act, fromCopy, hold);
              act.together.runs.push(taken.driven.live);
              members.push(taken);
              left.delete(run.number);
              if (run.number === named) await tellUnknown(taken.driven.live, runs);
            } catch (error) {
              if (run.number === named || !isRefusal(error)) throw error;
              log.warn("a run that was begun together with another one is not taken up", {
                run: run.number,
                why: toRefloatError(error).message,
              });
            }
          const settled: SettledMember[] = [];
          for (const run of runs.filter((one) => left.has(one.number)))
            settled.push(await settle(run.number, act.signal));
          await driveJointly({ ...shared, members, settled, broken });
        },
      );
    },
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
    resume: async (number, { fromCopy = false, ...act }) =>
      underLease(await serviceOf(number), `run ${number}`, async (hold) => {
        const { driven, before } = await takeUpForward(number, act, fromCopy, hold);
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

/** Of runs that were begun together with one that is resumed. */
const mayBeResumed: ReadonlySet<RunRecord["state"]> = new Set([
  "running",
  "waiting",
  "interrupted",
  "failed",
  "needs-operator",
]);

const isRefusal = (error: unknown): boolean =>
  error instanceof RefloatError && (error.code === "run.wrong-state" || error.code === "run.in-progress");

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
    { ...wayOn(record), context: { state: record.state } },
  );
};

/** An undo takes back what has ended or waits for a person; what was interrupted has first to come so far. */
const wayOn = (record: RunRecord): { readonly hint: string; readonly nextCommand: string } => {
  if (record.state === "committed")
    return {
      hint: "its old side is dropped: recover to a point instead",
      nextCommand: `refloat points ${record.service}`,
    };
  if (hasSideToPutBack(record))
    return { hint: "put the old side back by an undo", nextCommand: `refloat undo ${record.number}` };
  if (!mayBeResumed.has(record.state)) return { hint: "see its report", nextCommand: `refloat runs ${record.number}` };
  const hint = record.purpose === "undo" ? "go on with it" : "go on with it: once it has ended, an undo takes it back";
  return { hint, nextCommand: `refloat resume ${record.number}` };
};
