/**
 * One moment in several logs: a marker is placed in the log of each component that has one, all while the service is held still by its own lines, so that
 * nothing is committed between the first and the last. Without such lines, or when they did not hold, the moment is approximate, and says why.
 */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { Alignment } from "../../model/mark.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import type { ComponentAccess } from "../components/component-access.ts";
import type { LogMarker, Unmarked } from "../ports/logs.ts";
import type { Workbench } from "../ports/workbench.ts";
import { linesOf } from "./log-spans.ts";
import { frozenError, standStill } from "../quiesce/stand-still.ts";
import type { FreezeEvent, Stillness } from "../quiesce/stillness.ts";

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
  bench: Pick<Workbench, "freezes" | "clock" | "vault">,
  { service, access, signal, tell }: MarkerRequest,
): Promise<PlacedMarkers> => {
  const logged = Object.keys(service.components).filter((name) => access.driver(name).logs?.mark !== undefined);
  if (logged.length === 0) throw noMarker(service.name, "");
  const lines = await heldLines(bench, service.name);
  const still = await standStill(bench, { service, access, signal, tell, held: "mark" });
  try {
    const at = bench.clock.now().toISOString();
    const began = bench.clock.monotonicMs();
    const name = `refloat ${service.name} ${at}`.slice(0, 63);
    const placed = await Promise.allSettled(
      logged.map(
        async (component) =>
          [component, await placeMarker(access, component, { name, lines: lines(component) })] as const,
      ),
    );
    const windowMs = Math.ceil(bench.clock.monotonicMs() - began);
    const { markers, unmarked } = sortOut(service.name, placed);
    const stillness = await still.end();
    return {
      at,
      aligned: { ...modeOf(stillness, still.isFrozen), windowMs, markers, ...unmarked },
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

const noMarker = (service: string, why: string): RefloatError =>
  new RefloatError(
    "source.unsupported",
    `no component of ${service} has a log that a marker could be placed in${why}`,
    {
      state: "nothing was marked",
      hint: "a mark without --aligned names the moment by the clock",
      nextCommand: `refloat mark ${service} NAME`,
    },
  );

/** What the vault has of each component's log: asked before the service is held. */
const heldLines = async ({ vault }: Pick<Workbench, "vault">, service: string) => {
  const spans = await (await vault()).logs.spans(service);
  return (component: string): readonly string[] => linesOf(spans.filter((span) => span.component === component));
};

type Placed = PromiseSettledResult<readonly [string, LogMarker | Unmarked]>;

/** @throws the first failure; RefloatError source.unsupported where none has a marker */
const sortOut = (
  service: string,
  placed: readonly Placed[],
): Pick<Alignment, "markers"> & { readonly unmarked: object } => {
  const markers: Record<string, LogMarker> = {};
  const unmarked: Record<string, string> = {};
  for (const one of placed) {
    if (one.status === "rejected") throw one.reason;
    const [component, marker] = one.value;
    if ("unmarked" in marker) unmarked[component] = marker.unmarked;
    else markers[component] = marker;
  }
  const whys = Object.entries(unmarked).map(([component, why]) => `${component}: ${why}`);
  if (Object.keys(markers).length === 0) throw noMarker(service, ` (${whys.join("; ")})`);
  return { markers, unmarked: whys.length === 0 ? {} : { unmarked } };
};

const placeMarker = async (
  access: ComponentAccess,
  component: string,
  request: { readonly name: string; readonly lines: readonly string[] },
) => {
  const mark = access.driver(component).logs?.mark;
  if (mark === undefined) throw new RefloatError("bug", `${component} has no log to mark`);
  try {
    return await mark(await access.context(component), request);
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

const modeOf = (stillness: Stillness, wasFrozen: boolean): Pick<Alignment, "mode" | "heldMs" | "heldBy" | "why"> => {
  if (stillness.kind === "quiesced" && wasFrozen) {
    const { heldMs, by } = stillness.frozen;
    return { mode: "aligned", heldMs, ...(by === undefined ? {} : { heldBy: by }) };
  }
  if (stillness.kind === "missed") return { mode: "approximate", why: `the service was not held: ${stillness.why}` };
  return { mode: "approximate", why: "the service declares no quiesce: that would hold its commits meanwhile" };
};
