/**
 * The steps of a recovery: everything is restored beside the live side and validated there; only then comes the cutover
 * (cutover-steps.ts). What is not named as a need runs at the same time.
 */
import type { InvariantDeclaration } from "../../model/declaration.ts";
import type { StepId } from "../../model/identifiers.ts";
import type { PlanStep, StepAction } from "../../model/plan.ts";
import { componentsAsked, invariantSide } from "../invariants/invariant-sides.ts";
import type { ComponentOrder } from "./component-order.ts";
import { addCutoverSteps, keepsLedger } from "./cutover-steps.ts";
import type { ComponentCapabilities, RecoveryInput } from "./planner-input.ts";
import type { Scope } from "./resolve-scope.ts";
import { addManualSteps } from "./manual-steps.ts";
import { addLeaving } from "./failback-steps.ts";
import { type Provisioning, addProvisions, addTeardowns, neededProvisions } from "./provision-steps.ts";
import { type StepDraft, createStepDraft } from "./step-draft.ts";

type Planning = {
  readonly input: RecoveryInput;
  readonly scope: Scope;
  readonly order: ComponentOrder;
  readonly draft: StepDraft;
  readonly can: (name: string) => ComponentCapabilities;
  /** Components that run and are recovered or bound anew, in order of recovery. */
  readonly processes: readonly string[];
  readonly recoveredBelow: (name: string) => readonly string[];
  readonly release: (name: string) => "kept" | "restored";
  readonly asked: AskedWhileRunning;
};

const nothingAtAll: ComponentCapabilities = {
  hasWrites: false,
  hasRuntime: false,
  hasReload: false,
  hasMigrate: false,
  hasInvariants: false,
};

export const recoverySteps = (input: RecoveryInput, scope: Scope, order: ComponentOrder): PlanStep[] => {
  const can = (name: string): ComponentCapabilities => input.components[name]?.capabilities ?? nothingAtAll;
  const recovered = new Set(scope.recovered);
  const rebound = new Set(scope.rebound);
  const known: Omit<Planning, "asked"> = {
    input,
    scope,
    order,
    draft: createStepDraft(),
    can,
    processes: order.names.filter((name) => can(name).hasRuntime && (recovered.has(name) || rebound.has(name))),
    recoveredBelow: (name) => [...order.dependenciesOf(name)].filter((other) => recovered.has(other)),
    release: (name) => (recovered.has(name) ? "restored" : "kept"),
  };
  const planning: Planning = { ...known, asked: askedWhileRunning(known) };
  const { draft, processes, release, asked } = planning;
  const prepared = addManualSteps(draft, input.service, "restore");
  const provisioned = neededProvisions(input.service, order, [...scope.recovered, ...scope.rebound]);
  const provisioning = addProvisions(
    draft,
    { service: input.service, order, names: provisioned, seen: input.provisions ?? {} },
    prepared,
  );
  const { failback } = input;
  const ready = failback === undefined ? prepared : [draft.add("restore", { kind: "capture", side: "away" }, prepared)];
  addTrials(planning, addRestores(planning, ready, provisioning), provisioning);
  if (input.request.cutover) {
    const gate = approvalGate(input);
    if (gate !== null) draft.add("decide", gate, draft.all());
    // After the yes: what people do by hand may already change what is live.
    addManualSteps(draft, input.service, "cutover");
    addCutoverSteps(draft, {
      ...input,
      order,
      switched: scope.recovered,
      processes,
      release,
      asks: asked.started,
      byHand: true,
      fencesOff: true,
      ...(failback === undefined
        ? {}
        : { leave: (to: StepDraft) => addLeaving(to, { order, away: failback, moved: scope.recovered }) }),
    });
  }
  addTeardowns(draft, input.service, provisioned, input.request.cutover ? "prove" : "validate");
  return planning.draft.steps();
};

/** Declared, asked for by `--approve`, or both. */
const approvalGate = ({ service, request }: RecoveryInput): Extract<StepAction, { kind: "approve" }> | null => {
  const { approve } = service;
  if (approve === undefined && request.approve === undefined) return null;
  const { by, count, expires } = approve ?? {};
  return {
    kind: "approve",
    reason: request.approve ?? `cut ${service.name} over to the restored side?`,
    ...(by === undefined ? {} : { by }),
    ...(count === undefined ? {} : { count }),
    ...(expires === undefined ? {} : { expires }),
  };
};

type Restores = {
  /** By recovered component, what must have read its instance before anything may write to it. */
  readonly readers: ReadonlyMap<string, readonly StepId[]>;
  readonly restoreOf: (component: string) => readonly StepId[];
};

/**
 * Restores and all that reads a restored instance without changing it. Hard edges do not order restores: a dump needs no running
 * application and files need no database, so all data moves at once; the edges count where something starts or binds.
 */
const addRestores = (planning: Planning, prepared: readonly StepId[], { before }: Provisioning): Restores => {
  const { input, scope, draft, processes } = planning;
  const readers = new Map<string, StepId[]>();
  const restored = new Map<string, StepId>();
  for (const component of scope.recovered) {
    restored.set(component, draft.add("restore", { kind: "restore", component }, [...prepared, ...before(component)]));
  }
  const reads = (component: string, step: StepId): void => {
    readers.set(component, [...(readers.get(component) ?? []), step]);
  };
  const restoreOf = (component: string): StepId[] => [restored.get(component) ?? []].flat();
  for (const component of scope.recovered) {
    if (hasEarlySave(input, component)) {
      const action = { kind: "save-lost", component, stage: "early" } as const;
      reads(component, draft.add("restore", action, restoreOf(component)));
    }
  }
  for (const component of scope.recovered) {
    reads(component, draft.add("validate", { kind: "check", component }, restoreOf(component)));
  }
  for (const [invariant, declared] of Object.entries(input.service.invariants)) {
    const needed = componentsAsked(declared);
    // Asked of an application, it is asked while that runs on the new side: what answers otherwise is the live one, on the live data.
    if (!canAsk(planning, declared) || needed.some((name) => processes.includes(name))) continue;
    const touched = needed.filter((name) => restored.has(name));
    if (touched.length === 0) continue;
    const step = draft.add("validate", { kind: "check-invariant", invariant }, touched.flatMap(restoreOf));
    for (const name of touched) reads(name, step);
  }
  return { readers, restoreOf };
};

const canAsk = ({ input, can }: Pick<Planning, "input" | "can">, declared: InvariantDeclaration): boolean =>
  [declared.every, declared.in]
    .map(invariantSide)
    .every(({ component, asked }) => typeof asked !== "string" || can(component).hasInvariants) &&
  componentsAsked(declared).every((name) => input.components[name]?.unseen === undefined);

type AskedWhileRunning = {
  /** By application: invariants asked in its trial, and those that need another one beside it and wait for its start. */
  readonly tried: ReadonlyMap<string, readonly string[]>;
  readonly started: ReadonlyMap<string, readonly string[]>;
};

/** Invariants that are asked by way of applications that are recovered or bound anew: of the one that comes last, when all of them are there. */
const askedWhileRunning = (planning: Omit<Planning, "asked">): AskedWhileRunning => {
  const { input, order, processes } = planning;
  const running = new Set(processes);
  const tried = new Map<string, string[]>();
  const started = new Map<string, string[]>();
  for (const [invariant, declared] of Object.entries(input.service.invariants)) {
    const needed = componentsAsked(declared);
    const own = processes.filter((name) => needed.includes(name));
    const last = own.at(-1);
    if (last === undefined || !canAsk(planning, declared)) continue;
    const alone = own.length === 1 && untriedBecause(last, input, running, order) === null;
    const asked = alone ? tried : started;
    asked.set(last, [...(asked.get(last) ?? []), invariant]);
  }
  return { tried, started };
};

const namedInvariants = (names: readonly string[] | undefined): { readonly invariants?: string[] } =>
  names === undefined ? {} : { invariants: [...names] };

/** Only where there is a live side to read and a position to read from. */
const hasEarlySave = (input: RecoveryInput, component: string): boolean =>
  keepsLedger(input.components[component]) && input.point.manifest.components[component]?.facts.position !== undefined;

/** Why a process is started only in the cutover, or null when it is tried first. */
export const untriedBecause = (
  name: string,
  input: Pick<RecoveryInput, "components">,
  processes: ReadonlySet<string>,
  order: ComponentOrder,
): string | null => {
  const awaits = input.components[name]?.awaits;
  if (awaits !== undefined) return `it has no place before ${awaits} is provisioned`;
  if (input.components[name]?.freePort === null || input.components[name] === undefined) return "it has no free port";
  const below = [...order.dependenciesOf(name)].find((other) => processes.has(other));
  // The other process is stopped again after its own trial: what would answer here is the live one, on the live data.
  return below === undefined ? null : `it would talk to ${below}, which is not on the new side before the cutover`;
};

/**
 * Migrations and trials change the instance, if only by what an application writes when it starts, so they wait until everything
 * has read it; and a trial shows the schema as it will be, so it waits for all migrations of the data it uses.
 */
const addTrials = (planning: Planning, { readers, restoreOf }: Restores, { before }: Provisioning): void => {
  const { input, order, draft, can, processes, recoveredBelow, release, asked } = planning;
  /** By component: the migrations that touch it. */
  const migrations = new Map<string, StepId[]>();
  const migrationsOf = (touched: readonly string[]): readonly StepId[] =>
    touched.flatMap((name) => migrations.get(name) ?? []);
  const readersOf = (name: string): readonly StepId[] =>
    [name, ...recoveredBelow(name)].flatMap((other) => readers.get(other) ?? []);
  for (const component of processes) {
    const touches = recoveredBelow(component);
    if (!can(component).hasMigrate || touches.length === 0) continue;
    const needs = [...before(component), ...readersOf(component), ...migrationsOf(touches)];
    const step = draft.add("validate", { kind: "migrate", component, release: release(component) }, needs);
    for (const name of touches) migrations.set(name, [...(migrations.get(name) ?? []), step]);
  }
  const running = new Set(processes);
  const declared = (name: string): InvariantDeclaration => input.service.invariants[name] ?? { every: {}, in: {} };
  for (const component of processes) {
    if (untriedBecause(component, input, running, order) !== null) continue;
    const invariants = asked.tried.get(component);
    const named = (invariants ?? []).flatMap((name) => componentsAsked(declared(name)));
    const needs = [
      ...before(component),
      ...readersOf(component),
      ...migrationsOf(recoveredBelow(component)),
      ...named.flatMap(restoreOf),
    ];
    const action = { kind: "try", component, release: release(component), ...namedInvariants(invariants) } as const;
    draft.add("validate", action, [...new Set(needs)]);
  }
};
