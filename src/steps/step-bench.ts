/** What all step handlers share: access to the components as this step must see them. */
import { type ComponentAccess, type Locate, withComponents } from "../core/components/component-access.ts";
import type { InstanceTarget, Outputs } from "../core/ports/driver.ts";
import { capturedPart } from "../core/components/captured-part.ts";
import type { StepContext, StepHandler } from "../core/ports/engine.ts";
import type { ProvisionContext } from "../core/ports/provision.ts";
import type { ActingPerson, Approver, Attendant, ComponentParts, OpenVault } from "../core/ports/workbench.ts";
import { stepIdOf } from "../core/planner/step-id.ts";
import type { StepId } from "../model/identifiers.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { PointManifest, RecoveryPoint } from "../model/manifest.ts";
import type { JsonObject } from "../model/json.ts";
import type { StepAction, StepKind } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type StepParts = ComponentParts & {
  readonly vault: () => Promise<OpenVault>;
  readonly approver: Approver;
  readonly attendant: Attendant;
  readonly person: () => Promise<ActingPerson>;
  /** Takes a point of the service as it is now. */
  readonly takePoint: (
    service: string,
    options: {
      /** Of another side than the file's. */
      readonly declaration?: ServiceDeclaration;
      /** Its applications are stopped: their checks are not asked. */
      readonly held: boolean;
      /** Uid of the run: the only one that may be in its cutover meanwhile. */
      readonly takenBy: string;
      readonly leftBy?: NonNullable<PointManifest["leftBy"]>;
      readonly signal: AbortSignal;
    },
  ) => Promise<RecoveryPoint>;
};

export const stepId = (text: string): StepId => text as StepId;

/** Is the component's stable name already on the new side? Then its restored instance has no name of its own any more. */
export const isSwitched = (context: StepContext, component: string): boolean =>
  context.outputs.has(stepId(`switch:${component}`));

/** The instance made by `restore:component` of this run. @throws RefloatError bug when no such step has begun */
export const restoredInstance = (context: StepContext, component: string): InstanceTarget => {
  const name = context.intents.get(stepId(`restore:${component}`))?.["instance"];
  if (typeof name !== "string")
    throw new RefloatError("bug", `restore:${component} has not begun, yet its instance is asked for`);
  return { name, run: context.run.number, runUid: context.run.uid };
};

/**
 * Until its cutover a recovered component means its instance; afterwards, and for all that is kept, the stable name.
 */
export const locateDuring =
  (context: StepContext): Locate =>
  (component) =>
    context.plan.purpose === "recover" && context.plan.scope.includes(component) && !isSwitched(context, component)
      ? restoredInstance(context, component)
      : null;

export const isAway = ({ action }: StepContext): boolean =>
  action.kind === "retire" || action.kind === "reinstate" || ("side" in action && action.side === "away");

/** What is declared of the side that the step acts on. */
export const declarationOf = (context: StepContext): ServiceDeclaration => {
  const { declaration, failback } = context.plan;
  if (!isAway(context)) return declaration;
  if (failback === undefined) throw new RefloatError("bug", `${context.step.id} is of a plan that has one side`);
  return failback.declaration;
};

/** The id of another step on the side that this one acts on. */
export const besideId = (context: StepContext, id: string): StepId => stepId(isAway(context) ? `${id}@away` : id);

/** How a step looks at the components: which side their references mean, and outputs that it knows better. */
export type StepView = { readonly locate?: Locate; readonly outputs?: ReadonlyMap<string, Outputs> };

/** All components as they are behind their stable names: how every act after the switch sees them. */
export const stableView: StepView = { locate: () => null };

const provisionedBy = ({ plan, outputs }: StepContext): ReadonlySet<string> =>
  new Set(
    Object.keys(plan.declaration.provision ?? {}).filter((name) =>
      outputs.has(stepIdOf({ kind: "provision", provision: name })),
    ),
  );

/** Of a plan that has a point; a way home makes its own only after what it is provisioned with is there. */
const capturedBy =
  ({ vault }: StepParts, point: NonNullable<StepContext["plan"]["point"]>): NonNullable<ProvisionContext["captured"]> =>
  async (component) =>
    capturedPart(point.components[component], async () => (await vault()).repository);

export const withStep = <Result>(
  parts: StepParts,
  context: StepContext,
  act: (access: ComponentAccess) => Promise<Result>,
  view: StepView = {},
): Promise<Result> =>
  withComponents(
    parts,
    {
      service: declarationOf(context),
      // On the side that is left nothing is restored.
      locate: isAway(context) ? () => null : (view.locate ?? locateDuring(context)),
      ...(view.outputs === undefined ? {} : { outputs: view.outputs }),
      ...(isAway(context) ? {} : { provisioned: provisionedBy(context) }),
      ...(isAway(context) || context.plan.point === null ? {} : { captured: capturedBy(parts, context.plan.point) }),
      marker: context.marker,
      signal: context.signal,
      progress: context.progress,
    },
    act,
  );

/** The name that a run gives the side which it puts away stands for something else. */
export const retiredNameTaken = (
  code: "instance.exists" | "cutover.conflict",
  component: string,
  name: string,
): RefloatError =>
  new RefloatError(code, `${name}, where the old side of ${component} is to go, is there already`, {
    hint: "rename it by hand if somebody needs it, drop it if nobody does, then recover again",
  });

/** What was journaled as this step's own output, when it has been done before. */
export const ownOutput = (context: StepContext): JsonObject | undefined => context.outputs.get(context.step.id);

/** Presence of a step that leaves nothing in the world but its output: done once the output is journaled. */
export const presenceByOutput = async (context: StepContext) => {
  const output = ownOutput(context);
  return output === undefined ? { presence: "absent" as const } : { presence: "done" as const, output };
};

export const nothing = async (): Promise<void> => undefined;

export const noIntent = async (): Promise<JsonObject> => ({});

/** Text out of a journaled record. @throws RefloatError journal.failed when it is not there */
export const textOf = (record: JsonObject | undefined, key: string): string => {
  const value = record?.[key];
  if (typeof value !== "string")
    throw new RefloatError("journal.failed", `the journal has no ${key} where a step needs it`);
  return value;
};

export type Action<Kind extends StepKind> = Extract<StepAction, { kind: Kind }>;

export type MakeHandler<Kind extends StepKind> = (parts: StepParts) => StepHandler<Kind>;

const minuteMs = 60_000;

/** A number out of a journaled record; null when it has none, which is a fact and no fault. */
export const numberOf = (record: JsonObject | undefined, key: string): number | null => {
  const value = record?.[key];
  return typeof value === "number" ? value : null;
};

/** The same of text. */
export const textIn = (record: JsonObject | undefined, key: string): string | null => {
  const value = record?.[key];
  return typeof value === "string" ? value : null;
};

/** Limits by what a step waits for: data (hours), servers (minutes), people (days). Told in docs/steps.md. */
export const stepTimeoutMs = {
  data: 24 * 60 * minuteMs,
  server: 10 * minuteMs,
  person: 7 * 24 * 60 * minuteMs,
} as const;

/** A step that moves data and has shown nothing for so long is worth a look. */
export const stepQuietMs = 10 * minuteMs;
