/**
 * One moment in several logs: a marker is placed in the log of each component that has one, all while the service is held still by its own lines, so that
 * nothing is committed between the first and the last. Without such lines, or when they did not hold, the moment is approximate, and says why.
 */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { Alignment } from "../../model/mark.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import type { ComponentAccess } from "../components/component-access.ts";
import type { Workbench } from "../ports/workbench.ts";
import { type FreezeEvent, type Stillness, frozenError, standStill } from "../quiesce/stand-still.ts";

export type PlacedMarkers = {
  /** From before the first marker, ISO. */
  readonly at: string;
  readonly aligned: Alignment;
  /** Why the service may still be frozen; null when it is not. */
  readonly stuck: string | null;
};

export type MarkerRequest = {
  readonly service: ServiceDeclaration;
  readonly access: ComponentAccess;
  readonly signal: AbortSignal;
  readonly tell: (event: FreezeEvent) => void;
};

/**
 * @throws RefloatError source.unsupported where no component has a log; source.*: nothing was marked, and nothing is held; service.frozen when nothing was
 * marked and the service may still be frozen
 */
export const placeMarkers = async (
  bench: Pick<Workbench, "freezes" | "clock">,
  { service, access, signal, tell }: MarkerRequest,
): Promise<PlacedMarkers> => {
  const logged = Object.keys(service.components).filter((name) => access.driver(name).logs?.mark !== undefined);
  if (logged.length === 0)
    throw new RefloatError(
      "source.unsupported",
      `no component of ${service.name} has a log that a marker could be placed in`,
      {
        state: "nothing was marked",
        hint: "a mark without --aligned names the moment by the clock",
        nextCommand: `refloat mark ${service.name} NAME`,
      },
    );
  const still = await standStill(bench, { service, bind: access.bind(null), signal, tell });
  try {
    const at = bench.clock.now().toISOString();
    const began = bench.clock.monotonicMs();
    const name = `refloat ${service.name} ${at}`.slice(0, 63);
    const placed = await Promise.allSettled(
      logged.map(async (component) => [component, await placeMarker(access, component, name)] as const),
    );
    const windowMs = Math.ceil(bench.clock.monotonicMs() - began);
    const markers = placed.map((one) => {
      if (one.status === "rejected") throw one.reason;
      return one.value;
    });
    const stillness = await still.end();
    return {
      at,
      aligned: { ...modeOf(stillness, still.isFrozen), windowMs, markers: Object.fromEntries(markers) },
      stuck: still.stuck(),
    };
  } catch (error) {
    await still.end();
    const stuck = still.stuck();
    // A service that takes no writes comes before whatever else has failed.
    if (stuck === null) throw error;
    throw frozenError(service.name, stuck, {
      cause: error,
      state: `nothing was marked: ${toRefloatError(error).message}`,
    });
  }
};

const placeMarker = async (access: ComponentAccess, component: string, name: string) => {
  const mark = access.driver(component).logs?.mark;
  if (mark === undefined) throw new RefloatError("bug", `${component} has no log to mark`);
  try {
    return await mark(await access.context(component), { name });
  } catch (error) {
    if (!(error instanceof RefloatError) || error.code === "bug") throw error;
    throw new RefloatError(error.code, `no marker could be placed in the log of ${component}: ${error.message}`, {
      cause: error,
      context: { ...error.context, component },
      state: "nothing was marked",
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.nextCommand === undefined ? {} : { nextCommand: error.nextCommand }),
    });
  }
};

const modeOf = (stillness: Stillness, wasFrozen: boolean): Pick<Alignment, "mode" | "heldMs" | "why"> => {
  if (stillness.kind === "quiesced" && wasFrozen) return { mode: "aligned", heldMs: stillness.frozen.heldMs };
  if (stillness.kind === "missed") return { mode: "approximate", why: `the service was not held: ${stillness.why}` };
  return { mode: "approximate", why: "the service declares no quiesce: that would hold its commits meanwhile" };
};
