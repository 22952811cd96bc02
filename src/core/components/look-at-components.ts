/** Looks at a service as it is now, for the planner: what is live, what a recovery needs and would lose. Changes nothing. */
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { CapturedComponent, RecoveryPoint } from "../../model/manifest.ts";
import type { ComponentCapabilities, LiveComponent } from "../planner/planner-input.ts";
import type { TakenNames } from "../planner/refuse-taken-names.ts";
import type { ComponentDriver, DriverContext, Exchange, Footprint } from "../ports/driver.ts";
import type { ComponentAccess } from "./component-access.ts";
import { findStopped, startAgainWords } from "./stopped-server.ts";

export type LookOptions = {
  readonly service: ServiceDeclaration;
  /** Components that the plan acts on: that all of them can be looked at is a condition. Of the others it is told. */
  readonly needed: readonly string[];
  /** What would be restored; null for an undo, which restores nothing. */
  readonly point: RecoveryPoint | null;
  /** Number that the run will get, for names that people read. */
  readonly run: number;
};

export type Look = {
  readonly components: Readonly<Record<string, LiveComponent>>;
  readonly taken: Readonly<Record<string, TakenNames>>;
  readonly needs: readonly (Footprint & { readonly component: string })[];
};

/**
 * A dead server must not keep what has nothing to do with it from being recovered.
 * @throws RefloatError source.unreachable, fence.failed: found now rather than in the middle of the night's work
 */
export const lookAtComponents = async (access: ComponentAccess, options: LookOptions): Promise<Look> => {
  const components: Record<string, LiveComponent> = {};
  const taken: Record<string, TakenNames> = {};
  const needs: (Footprint & { readonly component: string })[] = [];
  for (const component of Object.keys(options.service.components)) {
    const captured = options.point?.manifest.components[component] ?? null;
    const driver = access.driver(component);
    const context = await access.context(component);
    try {
      const seen = await lookAt(driver, context, captured, options.run);
      components[component] = seen.live;
      taken[component] = seen.taken;
      if (captured === null) continue;
      const footprints = await driver.instances.footprint(context, captured);
      if (footprints.length === 0) components[component] = { ...seen.live, roomUnseen: true };
      for (const footprint of footprints) needs.push({ ...footprint, component });
    } catch (error) {
      context.signal.throwIfAborted();
      const failure = toRefloatError(error);
      if (failure.code === "bug") throw error;
      const awaited = awaitedBy(failure);
      if (awaited !== null) {
        components[component] = notYet(driver, context, component, awaited);
        taken[component] = { instance: false, retired: false };
        continue;
      }
      if (options.needed.includes(component)) throw unlookable(failure, component, options);
      components[component] = unseen(driver, context, component, failure.message);
    }
  }
  return { components, taken, needs };
};

const unlookable = (error: RefloatError, component: string, { service, needed, point }: LookOptions): RefloatError => {
  const { name, components } = service;
  const others = Object.keys(components).filter((other) => other !== component && needed.includes(other));
  const hint =
    point === null || others.length === 0
      ? error.hint
      : [error.hint, `without ${component}: --only ${others.join(",")}`]
          .filter((part) => part !== undefined)
          .join("; ");
  return new RefloatError(error.code, `${component} cannot be looked at: ${error.message}`, {
    cause: error,
    context: { ...error.context, component },
    state: error.state ?? "nothing was changed",
    ...(hint === undefined ? {} : { hint }),
    nextCommand: error.nextCommand ?? `refloat validate --live ${name}`,
  });
};

/** The entry of `provision:` that is not there yet and without which a component has no place. */
const awaitedBy = ({ code, context }: RefloatError): string | null =>
  code === "provision.absent" && typeof context["provision"] === "string" ? context["provision"] : null;

const notYet = (driver: ComponentDriver, context: DriverContext, component: string, awaits: string): LiveComponent => ({
  capabilities: capabilitiesOf(driver, context.options as Readonly<Record<string, unknown>>),
  present: false,
  awaits,
  roomUnseen: true,
  names: { stable: component, instance: `${component}_r{run}`, retired: `${component}_old{run}` },
  release: null,
  freePort: null,
  loss: null,
  fingerprint: [],
});

const unseen = (driver: ComponentDriver, context: DriverContext, component: string, why: string): LiveComponent => ({
  capabilities: {
    ...capabilitiesOf(driver, context.options as Readonly<Record<string, unknown>>),
    hasInvariants: false,
  },
  present: true,
  names: { stable: component, instance: component, retired: component },
  release: null,
  freePort: null,
  loss: null,
  fingerprint: [],
  unseen: why,
});

const lookAt = async (
  driver: ComponentDriver,
  context: DriverContext,
  captured: CapturedComponent | null,
  run: number,
): Promise<{ readonly live: LiveComponent; readonly taken: TakenNames }> => {
  const instance = await driver.instances.name(context, run);
  const retired = await driver.instances.retiredName(context, run);
  const { present, taken, unswitchable } = await lookAtSwitch(driver, context, {
    incoming: instance,
    outgoing: retired,
  });
  const since = captured?.facts.position;
  const stopped = present ? await findStopped(driver, context) : null;
  const live = {
    capabilities: capabilitiesOf(driver, context.options as Readonly<Record<string, unknown>>),
    present,
    ...(unswitchable === null ? {} : { unswitchable }),
    ...(stopped === null ? {} : { startAgain: startAgainWords(stopped) }),
    forewarnings: present ? ((await driver.switching.forewarnings?.(context)) ?? []) : [],
    names: { stable: await stableName(driver, context), instance, retired },
    loss: present && since !== undefined ? ((await driver.writes?.estimateSince?.(context, since)) ?? null) : null,
    fingerprint:
      captured?.fingerprint === undefined
        ? []
        : ((await driver.compareFingerprint?.(context, captured.fingerprint)) ?? []),
    heldBy: present ? ((await driver.switching.holders?.(context)) ?? []) : [],
    ...(await lookAtRuntime(driver, context, present)),
  };
  return { live, taken };
};

type SwitchSight = {
  readonly present: boolean;
  readonly taken: TakenNames;
  readonly unswitchable: NonNullable<LiveComponent["unswitchable"]> | null;
};

/** A live side that may not be switched, such as a server that others follow, is still one that can be restored beside. */
const lookAtSwitch = async (
  { switching }: ComponentDriver,
  context: DriverContext,
  exchange: Exchange,
): Promise<SwitchSight> => {
  try {
    const { stable, incoming, outgoing } = await switching.observe(context, exchange);
    const refusal = (await switching.refusal?.(context)) ?? null;
    return {
      present: stable !== null,
      taken: { instance: incoming !== null, retired: outgoing !== null },
      unswitchable: refusal === null ? null : { why: refusal },
    };
  } catch (error) {
    if (!(error instanceof RefloatError) || error.code !== "cutover.refused") throw error;
    // Only of what is there it can be said. The names beside it were not seen: `restore` looks at its own before it begins.
    return {
      present: true,
      taken: { instance: false, retired: false },
      unswitchable: {
        why: `${context.component}: ${error.message}`,
        ...(error.hint === undefined ? {} : { remedy: error.hint }),
      },
    };
  }
};

const lookAtRuntime = async (
  { runtime }: ComponentDriver,
  context: DriverContext,
  present: boolean,
): Promise<Pick<LiveComponent, "release" | "freePort" | "pid">> => {
  if (runtime === undefined) return { release: null, freePort: null };
  const live = await runtime.live(context);
  return {
    release: present ? await runtime.liveRelease(context) : null,
    freePort: await runtime.freePort(context, live),
    ...(live === null || live.pid === null ? {} : { pid: live.pid }),
  };
};

const capabilitiesOf = (
  driver: ComponentDriver,
  declared: Readonly<Record<string, unknown>>,
): ComponentCapabilities => ({
  hasWrites: driver.writes !== undefined,
  ...(driver.writes?.exports === undefined ? {} : { exportsWrites: driver.writes.exports }),
  blindOncePutAway: driver.writes?.blindOncePutAway === true,
  hasRuntime: driver.runtime !== undefined,
  hasReload: driver.reload !== undefined && (driver.reloads?.(declared) ?? declared["reload"] !== undefined),
  hasMigrate: driver.runtime !== undefined && declared["migrate"] !== undefined,
  hasInvariants: driver.invariantValues !== undefined,
});

/** What people call it: the database's name, the path; of a whole server its data folder, which is what changes hands, not a database of it. */
const stableName = async (driver: ComponentDriver, context: DriverContext): Promise<string> => {
  const outputs = await driver.stableOutputs(context);
  const named = ["data", "database", "path", "name"].map((name) => outputs[name]?.value);
  return named.find((value) => value !== undefined) ?? context.component;
};
