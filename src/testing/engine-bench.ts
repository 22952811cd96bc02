/** What the engine's contract is tried on: a world of files, engines over one state folder, and what was told and journaled. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine, Journal, StepHandlers } from "../core/ports/engine.ts";
import type { EngineHooks } from "../engine/create-engine.ts";
import type { EngineLimits } from "../engine/step-environment.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { JointPlan } from "../model/joint-plan.ts";
import type { Plan, PlanStep } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunEvent, RunRecord } from "../model/run.ts";
import { FileWorld } from "./file-world.ts";
import { jointRecoveryPlan, recoveryPlan } from "./run-plans.ts";
import { type Intercept, type WorldHandlerOptions, type WorldMoment, createWorldHandlers } from "./world-handlers.ts";

export type EngineUnderTest = {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly close: () => Promise<void>;
};

export type EngineParts = {
  /** State that outlives a process; opening a second engine on it is another process on the same machine. */
  readonly folder: string;
  readonly handlers: StepHandlers;
  readonly hooks: EngineHooks;
  readonly limits: Partial<EngineLimits>;
  /** Puts something between the engine and its journal. */
  readonly wrapJournal: (journal: Journal) => Journal;
};

export type OpenEngine = (parts: EngineParts) => Promise<EngineUnderTest>;

export type ProcessOptions = WorldHandlerOptions & {
  readonly hooks?: EngineHooks;
  readonly limits?: Partial<EngineLimits>;
  readonly wrapJournal?: EngineParts["wrapJournal"];
};

export const retryable = (): RefloatError => new RefloatError("source.unreachable", "db does not answer");
export const permanent = (): RefloatError => new RefloatError("target.failed", "the target refuses");

/** Throws at one moment of one step: each time, or only the first `times` times. */
export const failAt = (
  moment: WorldMoment,
  step: string,
  error: () => unknown = permanent,
  times = Number.POSITIVE_INFINITY,
): Intercept => {
  let left = times;
  return async (now, context) => {
    if (now !== moment || context.step.id !== step || left === 0) return undefined;
    left -= 1;
    throw error();
  };
};

/** Waits at one moment of one step until the signal aborts, then throws its reason, as a handler must. */
export const hangAt =
  (moment: WorldMoment, step: string, onBegin: () => void = () => undefined): Intercept =>
  async (now, context) => {
    if (now !== moment || context.step.id !== step) return undefined;
    onBegin();
    await new Promise<never>((_, reject) => {
      context.signal.addEventListener("abort", () => reject(context.signal.reason as Error), { once: true });
      if (context.signal.aborted) reject(context.signal.reason as Error);
    });
    return undefined;
  };

export class EngineBench {
  readonly folder: string;
  readonly world: FileWorld;
  readonly told: RunEvent[] = [];
  readonly #open: OpenEngine;
  readonly #opened: EngineUnderTest[] = [];

  private constructor(folder: string, open: OpenEngine, components?: readonly string[]) {
    this.folder = folder;
    this.world = FileWorld.create(join(folder, "world"), components);
    this.#open = open;
  }

  static async create(open: OpenEngine, components?: readonly string[]): Promise<EngineBench> {
    const folder = await mkdtemp(join(tmpdir(), "refloat-engine-"));
    await mkdir(join(folder, "world"));
    return new EngineBench(folder, open, components);
  }

  async remove(): Promise<void> {
    for (const { close } of this.#opened) await close();
    await rm(this.folder, { recursive: true });
  }

  /** Another process on this machine, with handlers that meet what `intercept` does. */
  async process({
    hooks = {},
    limits = {},
    wrapJournal = (journal) => journal,
    ...handlers
  }: ProcessOptions = {}): Promise<EngineUnderTest> {
    const opened = await this.#open({
      folder: join(this.folder, "state"),
      handlers: createWorldHandlers(this.world, handlers),
      hooks,
      wrapJournal,
      limits: { firstRetryMs: 1, graceMs: 5_000, ...limits },
    });
    this.#opened.push(opened);
    return opened;
  }

  async execute(options: ProcessOptions = {}, plan: Plan = recoveryPlan(), signal?: AbortSignal): Promise<RunRecord> {
    const { engine } = await this.process(options);
    return engine.execute(plan, { incidentAt: null, ...this.act(signal) });
  }

  async executeJoint(
    options: ProcessOptions = {},
    plan: JointPlan = jointRecoveryPlan(),
    signal?: AbortSignal,
  ): Promise<readonly RunRecord[]> {
    const { engine } = await this.process(options);
    return engine.executeJoint(plan, { incidentAt: null, ...this.act(signal) });
  }

  async resumeJoint(options: ProcessOptions = {}, run = 2): Promise<readonly RunRecord[]> {
    return (await this.process(options)).engine.resumeJoint(run as RunNumber, this.act());
  }

  async resume(options: ProcessOptions = {}, run = 1, signal?: AbortSignal): Promise<RunRecord> {
    return (await this.process(options)).engine.resume(run as RunNumber, this.act(signal));
  }

  async cancel(options: ProcessOptions = {}, run = 1, signal?: AbortSignal): Promise<RunRecord> {
    return (await this.process(options)).engine.cancel(run as RunNumber, this.act(signal));
  }

  act(signal: AbortSignal = new AbortController().signal) {
    return { listener: (event: RunEvent) => void this.told.push(event), signal };
  }

  async journaled(run = 1): Promise<readonly RunEvent[]> {
    return (await this.process()).journal.events(run as RunNumber);
  }

  async readRun(run = 1): Promise<RunRecord> {
    return (await (await this.process()).journal.readRun(run as RunNumber)).record;
  }

  /** `restore:db done`, as told. */
  get transitions(): readonly string[] {
    return this.told.flatMap((event) => (event.type === "step" ? [`${event.step} ${event.state}`] : []));
  }

  get messages(): readonly string[] {
    return this.told.flatMap((event) => (event.type === "run" && event.message !== undefined ? [event.message] : []));
  }

  effectsOf(act: "apply" | "clear" | "compensate"): readonly string[] {
    return this.world.effects.flatMap((line) => (line.startsWith(`${act} `) ? [line.slice(act.length + 1)] : []));
  }

  /** What came of a recovery, compared with `recovered`. */
  seen(record: RunRecord) {
    const effects = this.effectsOf("apply");
    const times = (step: string): number => effects.filter((id) => id === step).length;
    const ids = record.steps.map(({ id }) => id);
    return {
      state: record.state,
      notDone: record.steps.flatMap(({ id, state }) => (state === "done" ? [] : [`${id} ${state}`])),
      missing: ids.filter((id) => times(id) === 0),
      repeated: ids.filter((id) => times(id) > 1),
      ...this.live,
    };
  }

  /** The same after a process died: what is only looked at may have been looked at again. */
  seenAfterDeath(record: RunRecord) {
    const seen = this.seen(record);
    const isEffect = (step: string): boolean => !/^(check|try|approve|probe)\b/.test(step);
    return { ...seen, repeated: seen.repeated.filter(isEffect) };
  }

  get live() {
    return { serving: this.world.serving, running: this.world.names("running") };
  }

  get left() {
    return { ...this.live, store: this.world.names("store"), lost: this.world.names("lost") };
  }
}

export const servedByNew = { serving: "new", running: ["app.new"] };
/** Live is as it was before the run, whatever the run has left beside it. */
export const liveUntouched = { serving: "old", running: ["app.old"] };
export const nothingLeft = { ...liveUntouched, store: ["db.old", "files.old"], lost: [] };
/** All is done, each effect happened exactly once, and the new side serves. */
export const recovered = { state: "succeeded", notDone: [], missing: [], repeated: [], ...servedByNew };

/** Pairs of which the second came before the first, though it needs it; `restore:db before check:db` backwards for a cancel. */
export const outOfOrder = (
  steps: readonly PlanStep[],
  order: readonly string[],
  direction: "forward" | "backward",
): readonly string[] =>
  steps.flatMap(({ id, needs }) =>
    needs.flatMap((need) => {
      const [first, second] = direction === "forward" ? [need, id] : [id, need];
      const [firstAt, secondAt] = [order.indexOf(first), order.indexOf(second)];
      return firstAt >= 0 && secondAt >= 0 && secondAt < firstAt ? [`${second} before ${first}`] : [];
    }),
  );

export const stateOf = (record: RunRecord, step: string): string | undefined =>
  record.steps.find(({ id }) => id === step)?.state;
