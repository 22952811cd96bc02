/**
 * The way home of a run that recovered the service elsewhere, as it would be now: the side there is read from that run's plan, the side here from
 * the file. Looks at both and plans. Changes nothing.
 */
import { isDeepStrictEqual } from "node:util";
import { bindFences } from "../components/bind-fences.ts";
import { withComponents } from "../components/component-access.ts";
import { lookAtComponents } from "../components/look-at-components.ts";
import { lookAtProvisions } from "../components/look-at-provisions.ts";
import { findService } from "../declaration/find-service.ts";
import { findRunAway } from "../failback/find-run-away.ts";
import { type AwaySide, type Sight, byHand, lookAway, sightsOf } from "../failback/look-away.ts";
import { describePlace } from "../failback/place-of.ts";
import { shapeOf } from "../failback/point-shape.ts";
import { refuseUnlike } from "../failback/refuse-unlike.ts";
import { buildGraph } from "../graph/build-graph.ts";
import { servicesBoundTo } from "../graph/service-graph.ts";
import { componentOrder } from "../planner/component-order.ts";
import { planRecovery } from "../planner/plan-recovery.ts";
import { neededProvisions } from "../planner/provision-steps.ts";
import { refuseTakenNames } from "../planner/refuse-taken-names.ts";
import { refuseUnswitchable } from "../planner/refuse-unswitchable.ts";
import type { Workbench } from "../ports/workbench.ts";
import { durationSamples } from "../run/duration-samples.ts";
import { nextRunNumber } from "../run/next-run-number.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { Plan } from "../../model/plan.ts";
import { toJsonObject } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";

export type FailbackRequest = {
  readonly service: string;
  /** A number of this journal, or a uid or its first letters. */
  readonly failback: string;
  readonly cutover: boolean;
  readonly approve: boolean;
};

/** @throws RefloatError run.unknown, run.wrong-state, plan.impossible, point.unknown, cutover.refused, source.* */
export const draftFailback = async (bench: Workbench, request: FailbackRequest, signal: AbortSignal): Promise<Plan> => {
  const declared = await bench.declaration();
  const service = findService(declared, request.service);
  const led = await findRunAway(bench, service.name, request.failback);
  const away = led.plan.intent.declaration;
  refuseUnlike(service, away, led.record);
  const runs = await (await bench.journal()).listRuns();
  const run = nextRunNumber(runs);
  const marker = `refloat/plan/${service.name}`;
  const there = await withComponents(bench, { service: away, locate: () => null, marker, signal }, (access) =>
    lookAway(access, away, led.record),
  );
  const baseline = await newestPointOf(bench, away, led.plan.intent.point?.id ?? null);
  const graph = buildGraph(service);
  const order = componentOrder(graph);
  const here = await withComponents(bench, { service, locate: () => null, marker, signal }, async (access) => {
    if (request.cutover) await bindFences(access, service, { byWord: false });
    const look = await lookAtComponents(access, {
      service,
      point: withoutPositions(baseline),
      needed: order.names,
      run,
    });
    const sights = await sightsOf(access, service, look);
    const needed = neededProvisions(service, order, order.names);
    return { ...look, sights, provisions: await lookAtProvisions(access, needed) };
  });
  const moved = order.names.filter((name) => !isShared(here.sights[name], there.sights[name]));
  refuseSharedProcess(service, moved, there);
  const { cutover } = request;
  refuseUnswitchable({ service: service.name, scope: moved, cutover, ...here });
  refuseTakenNames({ service: service.name, run, scope: moved, cutover, ...here });
  const runsThere = (name: string): boolean => there.look.components[name]?.capabilities.hasRuntime === true;
  const data = moved.filter((name) => !runsThere(name));
  refuseUnswitchable({ service: service.name, scope: data, cutover, ...there.look });
  refuseTakenNames({ service: service.name, run, scope: data, cutover, ...there.look });
  return planRecovery({
    service,
    graph,
    point: baseline,
    failback: {
      run: led.record.number,
      runUid: led.record.uid,
      declaration: away,
      shape: shapeOf(baseline.manifest.components, moved, runsThere),
      components: there.look.components,
      asserted: Object.fromEntries(
        order.names
          .filter((name) => !moved.includes(name) && !there.shown.has(name))
          .map((name) => [name, there.sights[name]?.place.where ?? name]),
      ),
      ways: moved.flatMap((component) => {
        const [from, to] = [there.sights[component], here.sights[component]];
        if (from === undefined) return [];
        return [
          {
            component,
            from: describePlace(from.place),
            to: to === undefined ? "provisioned" : describePlace(to.place),
          },
        ];
      }),
    },
    closer: null,
    newest: null,
    request: {
      at: null,
      ...(moved.length === order.names.length ? {} : { only: moved }),
      cutover,
      ...(request.approve ? { approve: `bring ${service.name} home?` } : {}),
    },
    components: here.components,
    provisions: here.provisions,
    boundServices: servicesBoundTo(declared, service.name),
    space: await bench.host.space(here.needs.filter(({ component }) => moved.includes(component))),
    history: durationSamples(runs.filter((one) => one.service === service.name)),
    now: bench.clock.now().toISOString(),
  });
};

/** One place under two names of a file: nothing has to go anywhere. */
const isShared = (here: Sight | undefined, there: Sight | undefined): boolean =>
  here !== undefined &&
  there !== undefined &&
  here.identity !== null &&
  here.identity === there.identity &&
  here.place.where === there.place.where;

/** @throws RefloatError plan.impossible */
const refuseSharedProcess = (
  { name: service, components }: ServiceDeclaration,
  moved: readonly string[],
  { look, sights }: AwaySide,
): void => {
  const first = Object.keys(components).find(
    (name) => !moved.includes(name) && look.components[name]?.capabilities.hasRuntime === true,
  );
  if (first === undefined) return;
  throw byHand(service, `${first} is one and the same on both sides (${sights[first]?.place.where ?? first})`);
};

/**
 * What the plan reckons with: the newest point that was taken there, else the one that the run restored there.
 * @throws RefloatError point.unknown
 */
const newestPointOf = async (
  bench: Workbench,
  away: ServiceDeclaration,
  restored: string | null,
): Promise<RecoveryPoint> => {
  const { points } = await bench.vault();
  const names = Object.keys(away.components);
  const fits = ({ id, manifest }: RecoveryPoint): boolean =>
    names.every((name) => manifest.components[name] !== undefined) &&
    (id === restored ||
      isDeepStrictEqual(toJsonObject(manifest.declaration.components), toJsonObject(away.components)));
  const found = (await points.list(away.name)).find(fits);
  if (found !== undefined) return found;
  throw new RefloatError("point.unknown", `there is no point of all of ${away.name} from where it is now`, {
    state: "nothing was changed",
    hint: "it tells the plan what the way home is made of and how long it takes: take one there, by the file that is used there",
    nextCommand: `refloat capture ${away.name}`,
  });
};

/** A position of one server says nothing to another: what home has of its own is looked up by its keys, in the run. */
const withoutPositions = (point: RecoveryPoint): RecoveryPoint => ({
  ...point,
  manifest: {
    ...point.manifest,
    components: Object.fromEntries(
      Object.entries(point.manifest.components).map(([name, component]) => {
        const { position: _position, ...facts } = component.facts;
        return [name, { ...component, facts }];
      }),
    ),
  },
});
