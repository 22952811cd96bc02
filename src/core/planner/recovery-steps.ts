/**
 * The steps of a recovery: everything is restored beside the live side and validated there; only then comes the cutover
 * (cutover-steps.ts). What is not named as a need runs at the same time.
 */
import type { InvariantDeclaration } from "../../model/declaration.ts";
import type { StepId } from "../../model/identifiers.ts";
import type { PlanStep, StepAction } from "../../model/plan.ts";
import type { ComponentOrder } from "./component-order.ts";
import { addCutoverSteps, keepsLedger } from "./cutover-steps.ts";
import type { ComponentCapabilities, RecoveryInput } from "./planner-input.ts";
import type { Scope } from "./resolve-scope.ts";
import { addManualSteps } from "./manual-steps.ts";
import { type Provisioning, addProvisions, addTeardowns, neededProvisions } from "./provision-steps.ts";
import { type StepDraft, createStepDraft } from "./step-draft.ts";

/** The component of one side of an invariant; each side names exactly one. */
export const sideOf = (side: InvariantDeclaration["every"]): string => Object.keys(side)[0] ?? "";

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
  const planning: Planning = {
    input,
    scope,
    order,
    draft: createStepDraft(),
    can,
    processes: order.names.filter(
      (name) => can(name).hasRuntime && (recovered.has(name) || scope.rebound.includes(name)),
    ),
    recoveredBelow: (name) => [...order.dependenciesOf(name)].filter((other) => recovered.has(other)),
    release: (name) => (recovered.has(name) ? "restored" : "kept"),
  };
  const { draft, processes, release } = planning;
  const prepared = addManualSteps(draft, input.service, "restore");
  const provisioned = neededProvisions(input.service, order, [...scope.recovered, ...scope.rebound]);
  const provisioning = addProvisions(
    draft,
    { service: input.service, order, names: provisioned, seen: input.provisions ?? {} },
    prepared,
  );
  const readers = addRestores(planning, prepared, provisioning);
  addTrials(planning, readers, provisioning);
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
      byHand: true,
      fencesOff: true,
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

/**
 * Restores and all that reads a restored instance without changing it. Hard edges do not order restores: a dump needs no running
 * application and files need no database, so all data moves at once; the edges count where something starts or binds.
 * @returns by recovered component, what must have read its instance before anything may write to it
 */
const addRestores = (
  { input, scope, draft, can }: Planning,
  prepared: readonly StepId[],
  { before }: Provisioning,
): ReadonlyMap<string, readonly StepId[]> => {
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
  for (const [invariant, { every, in: within }] of Object.entries(input.service.invariants)) {
    const sides = [sideOf(every), sideOf(within)];
    const touched = sides.filter((side) => restored.has(side));
    if (touched.length === 0 || !sides.every((side) => can(side).hasInvariants)) continue;
    const step = draft.add("validate", { kind: "check-invariant", invariant }, touched.flatMap(restoreOf));
    for (const side of touched) reads(side, step);
  }
  return readers;
};

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
const addTrials = (
  planning: Planning,
  readers: ReadonlyMap<string, readonly StepId[]>,
  { before }: Provisioning,
): void => {
  const { input, order, draft, can, processes, recoveredBelow, release } = planning;
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
  for (const component of processes) {
    if (untriedBecause(component, input, running, order) !== null) continue;
    const needs = [...before(component), ...readersOf(component), ...migrationsOf(recoveredBelow(component))];
    draft.add("validate", { kind: "try", component, release: release(component) }, needs);
  }
};
