/**
 * Plans a recovery: a pure function from what is declared, what the point has and what was seen, to the steps, their order and what to
 * expect of them. Nothing is looked up here and nothing is done.
 */
import { linksAtRisk } from "../invariants/links-at-risk.ts";
import type { Plan, PlanIntent } from "../../model/plan.ts";
import { closestSet } from "../points/closest-set.ts";
import { composedBetter } from "../points/composition-words.ts";
import { componentOrder } from "./component-order.ts";
import type { DescriptionFacts } from "./describe-step.ts";
import { forecastConsistency } from "./forecast-consistency.ts";
import { forecastCloser, forecastKeeps, forecastLosses } from "./forecast-losses.ts";
import { forecastSteps } from "./forecast-steps.ts";
import { forecastWarnings } from "./forecast-warnings.ts";
import { planDigest } from "./plan-digest.ts";
import type { RecoveryInput } from "./planner-input.ts";
import { recoverySteps } from "./recovery-steps.ts";
import { resolveScope } from "./resolve-scope.ts";

/** @throws RefloatError component.unknown, point.damaged, plan.impossible */
export const planRecovery = (input: RecoveryInput): Plan => {
  const { service, point, request, components, failback } = input;
  const order = componentOrder(input.graph);
  const scope = resolveScope(input, order);
  const recovered = new Set(scope.recovered);
  const captured = Object.fromEntries(
    Object.entries(point.manifest.components).filter(([name]) => recovered.has(name)),
  );
  const atRisk = linksAtRisk(service, point.manifest, scope.recovered).map(({ invariant }) => invariant);
  const intent: PlanIntent = {
    schemaVersion: 1,
    purpose: "recover",
    service: service.name,
    declaration: service,
    point:
      failback === undefined ? { id: point.id, consistentAt: point.manifest.consistentAt, components: captured } : null,
    undoes: null,
    ...failbackOf(failback),
    scope: [...scope.recovered],
    rebound: [...scope.rebound],
    cutover: request.cutover,
    ...(request.acceptLoss === true && atRisk.length > 0 ? { acceptBroken: atRisk } : {}),
    ...replaysOf(input, recovered),
    steps: recoverySteps(input, scope, order),
  };
  const words: DescriptionFacts = {
    service,
    components,
    captured,
    replays: intent.replays ?? {},
    ...(input.provisions === undefined ? {} : { provisions: input.provisions }),
    ...(failback === undefined ? {} : { away: failback }),
    recoveredBelow: (name) => [...order.dependenciesOf(name)].filter((other) => recovered.has(other)),
    exchange: (name) => ({
      incoming: components[name]?.names.instance ?? name,
      outgoing: components[name]?.names.retired ?? name,
    }),
  };
  const steps = forecastSteps(intent.steps, words, input.history);
  const known = new Map<string, number>();
  const waveOf = (step: string): number | null => {
    if (known.size === 0)
      for (const [index, wave] of steps.waves.entries()) for (const id of wave) known.set(id, index + 1);
    return known.get(step) ?? null;
  };
  // What is written on the side that is left until users are held there is in the point that is made then.
  const loses = failback === undefined ? forecastLosses(input, scope) : [];
  return {
    digest: planDigest(intent),
    intent,
    forecast: {
      at: input.now,
      asked: request.at === null ? null : { text: request.at.text, instant: request.at.instant },
      ...(input.chosen === undefined ? {} : { chosen: input.chosen }),
      ...composedOf(input, recovered),
      ...(failback === undefined ? { consistency: forecastConsistency(input, scope) } : { ways: failback.ways }),
      ...steps,
      loses,
      ...(input.breaks === undefined || input.breaks.length === 0 ? {} : { breaks: [...input.breaks] }),
      keeps: forecastKeeps(input, scope, loses),
      ...touchesOf(input, [...scope.recovered, ...scope.rebound]),
      closer: failback === undefined ? forecastCloser(input, scope) : null,
      space: [...input.space],
      warnings: forecastWarnings({ input, scope, order, steps: intent.steps, waveOf }),
    },
  };
};

/** The parts of the recovered components. */
const composedOf = (
  { point, service, memberConflicts = [], composablePoints = [], replays = {} }: RecoveryInput,
  recovered: ReadonlySet<string>,
): Pick<Plan["forecast"], "composed"> => {
  const { composed } = point;
  if (composed === undefined) return {};
  const own = { ...composed, members: composed.members.filter(({ component }) => recovered.has(component)) };
  const closest = closestSet(
    point,
    composablePoints,
    own.members.map(({ component }) => component),
  );
  const oldest = own.members.at(-1);
  // What a log takes further than that part can be taken to it as well.
  const going = own.members.flatMap(({ component }) => (replays[component] === undefined ? [] : [component]));
  const isApart = oldest !== undefined && oldest.skewMs > 0 && !going.includes(oldest.component) && going.length > 0;
  return {
    composed: {
      ...own,
      conflicts: [...memberConflicts],
      better: composedBetter(service.name, own),
      ...(closest === null ? {} : { closest }),
      ...(isApart ? { byLog: { at: oldest.at, components: going } } : {}),
    },
  };
};

const failbackOf = (failback: RecoveryInput["failback"]): Pick<PlanIntent, "failback"> => {
  if (failback === undefined) return {};
  const { run, runUid, declaration, shape } = failback;
  return { failback: { run, runUid, declaration, shape } };
};

const touchesOf = ({ boundServices = [], request }: RecoveryInput, changed: readonly string[]) => {
  const touches = boundServices.filter(({ to }) => request.cutover && changed.includes(to));
  return touches.length === 0 ? {} : { touches };
};

const replaysOf = ({ replays = {} }: RecoveryInput, recovered: ReadonlySet<string>): Pick<PlanIntent, "replays"> => {
  const own = Object.fromEntries(Object.entries(replays).filter(([component]) => recovered.has(component)));
  return Object.keys(own).length === 0 ? {} : { replays: own };
};
