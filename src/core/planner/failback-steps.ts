/**
 * What a failback adds to the cutover of a recovery: before home's names are switched the side elsewhere is held, fenced and put away, with a
 * second point between, so that nothing that is written there is left there. And what its undo adds: that side comes back.
 */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { StepId } from "../../model/identifiers.ts";
import type { Failback } from "../../model/plan.ts";
import type { ComponentOrder } from "./component-order.ts";
import type { LiveComponent } from "./planner-input.ts";
import type { StepDraft } from "./step-draft.ts";

export type Leaving = {
  readonly order: ComponentOrder;
  /** The side that is left, as it is declared there and as it is now. */
  readonly away: {
    readonly declaration: ServiceDeclaration;
    readonly components: Readonly<Record<string, LiveComponent>>;
  };
  /** Components that go home, in order of recovery. */
  readonly moved: readonly string[];
};

const runs = ({ away }: Pick<Leaving, "away">, name: string): boolean =>
  away.components[name]?.capabilities.hasRuntime === true;

/** Adds them after everything that the draft holds already. From `hold@away` on users notice. */
export const addLeaving = (draft: StepDraft, leaving: Leaving): void => {
  const { away, moved } = leaving;
  const asked = draft.steps().flatMap(({ action }) => (action.kind === "check-invariant" ? action.invariant : []));
  if (away.declaration.cutover.length > 0) draft.add("cutover", { kind: "hold", side: "away" }, draft.all());
  const held = draft.all();
  for (const component of moved.filter((name) => runs(leaving, name)))
    draft.add("cutover", { kind: "fence", component, side: "away" }, held);
  const last = draft.add("cutover", { kind: "capture", stage: "final", side: "away" }, draft.all());
  const data = moved.filter((name) => !runs(leaving, name));
  const restores: StepId[] = [];
  for (const component of data) {
    // Beside the restores: it looks through what is away while they write at home.
    draft.add("cutover", { kind: "retire", component }, [last]);
    const dropped = draft.add("cutover", { kind: "drop", component }, [last]);
    const restored = draft.add("cutover", { kind: "restore", component, stage: "final" }, [dropped]);
    draft.add("cutover", { kind: "check", component, stage: "final" }, [restored]);
    restores.push(restored);
  }
  for (const invariant of asked) draft.add("cutover", { kind: "check-invariant", invariant, stage: "final" }, restores);
};

export type ComingBack = {
  readonly order: ComponentOrder;
  readonly failback: Failback & { readonly left: NonNullable<Failback["left"]> };
};

/** Adds, after the cutover that has left home, what lets users in again on the other side. */
export const addComingBack = (draft: StepDraft, { order, failback: { declaration, left } }: ComingBack): void => {
  const closed = draft.all();
  for (const component of order.names.filter((name) => left.retired[name] !== undefined))
    draft.add("cutover", { kind: "reinstate", component }, closed);
  const back = draft.all();
  const started = new Map<string, StepId>();
  for (const component of order.names.filter((name) => left.processes[name] !== undefined)) {
    const below = [...order.dependenciesOf(component)].flatMap((name) => started.get(name) ?? []);
    const action = { kind: "start", component, release: "kept", side: "away" } as const;
    started.set(component, draft.add("cutover", action, [...back, ...below]));
  }
  if (declaration.cutover.length > 0) draft.add("cutover", { kind: "admit", side: "away" }, draft.all());
  if (declaration.probe !== undefined) draft.add("prove", { kind: "probe", side: "away" }, draft.all());
};
