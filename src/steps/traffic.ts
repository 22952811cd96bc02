/** The `cutover:` entries of a service, as hold and admit act on them. */
import type { TrafficContext, TrafficDriver } from "../core/ports/traffic.ts";
import type { ComponentAccess } from "../core/components/component-access.ts";
import type { StepContext } from "../core/ports/engine.ts";
import { sentTraffic } from "../core/run/traffic-before.ts";
import type { CutoverDeclaration } from "../model/declaration.ts";
import type { JsonObject } from "../model/json.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type StepParts, besideId, declarationOf, isAway } from "./step-bench.ts";

export type TrafficEntry = { readonly declared: CutoverDeclaration; readonly driver: TrafficDriver };

export const trafficEntries = (parts: StepParts, context: StepContext): readonly TrafficEntry[] =>
  declarationOf(context).cutover.map((declared) => {
    const driver = parts.registry.traffic.get(declared.kind);
    if (driver === undefined)
      throw new RefloatError("source.unsupported", `there is no cutover of kind ${declared.kind} in this version`);
    return { declared, driver };
  });

export const trafficContext = (parts: StepParts, context: StepContext, access: ComponentAccess): TrafficContext => ({
  service: context.plan.service,
  bind: access.bind(null),
  clock: parts.clock,
  log: parts.log,
  signal: context.signal,
  marker: context.marker,
});

export type RememberedTraffic = {
  readonly kind: string;
  readonly address: string | null;
  readonly admitted: boolean | null;
};

/** What `hold` saw before it acted: where traffic went. */
export const rememberedTraffic = (intent: JsonObject | undefined): readonly RememberedTraffic[] =>
  (intent?.["entries"] ?? []) as unknown as readonly RememberedTraffic[];

/**
 * Where an entry's traffic may go at this moment by what the run knows: where its `hold` has seen it go, where its `admit` sends it, and
 * where the undone run has sent it. Null where it held nothing, and so has seen nothing.
 */
export const expectedTraffic = (context: StepContext, index: number): readonly string[] | null => {
  const before = rememberedTraffic(context.intents.get(besideId(context, "hold")))[index];
  if (before === undefined || (before.address === null && before.admitted === null)) return null;
  const sent = sentTraffic(context.intents.get(besideId(context, "admit")))[index];
  const undone = isAway(context) ? null : context.plan.undoes?.traffic?.[index];
  return [before.address, sent, undone].filter((address) => typeof address === "string");
};
