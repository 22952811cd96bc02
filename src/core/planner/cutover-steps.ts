/**
 * The steps that change what stands behind the stable names, for a recovery and for its undo, in one order: hold traffic, fence the
 * old writers, switch the names, settle what the old side did last, start on the new side, reload, admit traffic last, probe.
 */
import type { Unfenced } from "../components/bind-fences.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { StepId } from "../../model/identifiers.ts";
import type { ComponentOrder } from "./component-order.ts";
import type { LiveComponent } from "./planner-input.ts";
import { addManualSteps } from "./manual-steps.ts";
import type { StepDraft } from "./step-draft.ts";

export type CutoverPlanning = {
  readonly service: ServiceDeclaration;
  readonly order: ComponentOrder;
  readonly components: Readonly<Record<string, LiveComponent>>;
  /** Components whose stable name changes hands, in order of recovery. */
  readonly switched: readonly string[];
  /** Components that run and are switched or bound anew, in order of recovery. */
  readonly processes: readonly string[];
  readonly release: (component: string) => "kept" | "restored";
  /** Invariants that are asked of a component once it is started. */
  readonly asks?: ReadonlyMap<string, readonly string[]>;
  /** Switched components behind whose name nothing is put: what needs them cannot start, and there is nothing to admit users to. */
  readonly emptied?: readonly string[];
  /** What the service declares to be done by people after its cutover belongs to it. */
  readonly byHand?: boolean;
  /** What the service declares to be fenced off is: it stands where the old side was. */
  readonly fencesOff?: boolean;
  /** By name of a fence that cannot be used as declared. */
  readonly unfenced?: Readonly<Record<string, Unfenced>>;
  /** A point of the side that is left is taken once nobody writes to it any more. */
  readonly lateCapture?: boolean;
  /** Adds what is done to a side elsewhere that users leave, after what a person may have to be waited for. */
  readonly leave?: (draft: StepDraft) => void;
  /** Users are let in elsewhere: nothing is started, told or admitted here. */
  readonly closes?: boolean;
};

/** Is there a live side whose writes can be told? */
export const keepsLedger = (live: LiveComponent | undefined): boolean =>
  live?.capabilities.hasWrites === true && live.present;

/** Is it nothing afterwards, or does it need what is? */
export const isEmptied = (component: string, emptied: readonly string[], order: ComponentOrder): boolean =>
  emptied.some((name) => name === component || order.dependenciesOf(component).has(name));

/** Adds the cutover after everything that the draft holds already. */
export const addCutoverSteps = (draft: StepDraft, planning: CutoverPlanning): void => {
  const { service, order, components, switched, processes, release, asks, emptied = [] } = planning;
  const hasTraffic = service.cutover.length > 0;
  const closes = planning.closes === true;
  const starting = closes ? [] : processes.filter((name) => !isEmptied(name, emptied, order));
  const serves = !closes && starting.length === processes.length && emptied.length === 0;
  const below = (steps: ReadonlyMap<string, StepId>, component: string): readonly StepId[] =>
    [...order.dependenciesOf(component)].flatMap((name) => steps.get(name) ?? []);
  const of = (steps: ReadonlyMap<string, StepId>, component: string): readonly StepId[] =>
    [steps.get(component) ?? []].flat();

  // Before traffic is held: a person may have to be waited for, and whoever still reaches the old side need not wait as well. All at once:
  // while one of them waits for a person, another one would go on acknowledging writes.
  const ready = draft.all();
  if (planning.fencesOff === true)
    for (const { environment: _environment, timeout: _timeout, ...declared } of service.fence ?? []) {
      const { name, expect, proof } = declared;
      const unusable = planning.unfenced?.[name];
      const action =
        unusable === undefined
          ? declared
          : {
              name,
              // Where only its command is missing, the proof tells of what a person has done by hand.
              ...(unusable.isProven && proof !== undefined ? { proof } : {}),
              ...(expect === undefined ? {} : { expect }),
              unusable: unusable.why,
            };
      draft.add("cutover", { kind: "isolate", ...action }, ready);
    }
  planning.leave?.(draft);
  if (hasTraffic) draft.add("cutover", { kind: "hold" }, draft.all());

  // Whether a process runs at this moment is no reason to leave its fence out: a supervisor may have it back before the switch.
  const before = draft.gate(planning.leave === undefined ? "decide" : "cutover", "validated", processes.length);
  for (const component of processes) draft.add("cutover", { kind: "fence", component }, before);

  if (planning.lateCapture === true) draft.add("cutover", { kind: "capture", stage: "final" }, draft.all());

  const fenced = draft.gate("cutover", "fenced", switched.length);
  const switches = new Map<string, StepId>();
  for (const component of switched) {
    switches.set(component, draft.add("cutover", { kind: "switch", component }, fenced));
  }

  const exchanged = draft.gate("cutover", "switched", starting.length);
  const settled = new Map<string, StepId>();
  for (const component of switched.filter((name) => keepsLedger(components[name]))) {
    // After the switch, which ends the last connections: only then can nobody add to the side that is left. Before traffic, although
    // it reads the whole of that side meanwhile: what it finds is told apart (lost, changed, removed) by the rows of the new side, and
    // one row that a user gives a lost row's key again would turn an order to be exported into one that only changed.
    const action = { kind: "save-lost", component, stage: "final" } as const;
    settled.set(component, draft.add("cutover", action, of(switches, component)));
  }

  const started = new Map<string, StepId>();
  for (const component of starting) {
    const needs = [...exchanged, ...below(settled, component), ...below(started, component)];
    const invariants = asks?.get(component);
    const asked = invariants === undefined ? {} : { invariants: [...invariants] };
    started.set(
      component,
      draft.add("cutover", { kind: "start", component, release: release(component), ...asked }, needs),
    );
  }

  const reloading = (name: string): boolean =>
    components[name]?.capabilities.hasReload === true && !emptied.includes(name) && !closes;
  for (const component of switched.filter(reloading)) {
    const needs = [...of(switches, component), ...below(started, component)];
    draft.add("cutover", { kind: "reload", component }, needs);
  }

  if (!serves) return;
  if (hasTraffic) draft.add("cutover", { kind: "admit" }, draft.all());
  if (planning.byHand === true) addManualSteps(draft, service, "served");
  const used = usedElsewhere(service, [...switched, ...processes], new Set(starting));
  // Side by side: the time to the first right answer is not that of somebody who does not answer.
  const served = used.length === 0 ? draft.all() : draft.gate("prove", "served", used.length + 1);
  if (service.probe !== undefined) draft.add("prove", { kind: "probe" }, served);
  for (const component of used) draft.add("prove", { kind: "check-used", component }, served);
};

/** What these use while they run; what is started has just been asked. */
const usedElsewhere = (
  { components }: ServiceDeclaration,
  changed: readonly string[],
  started: ReadonlySet<string>,
): readonly string[] => [
  ...new Set(changed.flatMap((name) => components[name]?.uses ?? []).filter((name) => !started.has(name))),
];
