/**
 * Makes one plan of the plans of several services: says of each step which services it waits for, so that data moves side by side and nothing
 * talks to a service before it is there. Pure.
 */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { JointPlan } from "../../model/joint-plan.ts";
import type { Plan, PlanIntent, PlanStep } from "../../model/plan.ts";
import { buildGraph } from "../graph/build-graph.ts";
import type { ServiceEdge } from "../graph/service-graph.ts";
import { componentsAsked } from "../invariants/invariant-sides.ts";
import { jointQueue, laneOf, ownId } from "../run/joint-graph.ts";
import { simulateQueue } from "../run/scheduling.ts";
import { stageOf } from "../run/step-graph.ts";
import { type ComponentOrder, componentOrder } from "./component-order.ts";
import { planDigest } from "./plan-digest.ts";

export type JoinInput = {
  readonly asked: string;
  /** Of one purpose, in the order in which their runs are numbered. */
  readonly plans: readonly Plan[];
  /** Between all declared services. */
  readonly edges: readonly ServiceEdge[];
  readonly leftAlone: JointPlan["forecast"]["leftAlone"];
  /** ISO 8601. */
  readonly now: string;
};

export const joinPlans = ({ asked, plans, edges, leftAlone, now }: JoinInput): JointPlan => {
  const names = new Set(plans.map(({ intent }) => intent.service));
  const parts = plans.map((plan): Plan => {
    const { intent } = plan;
    const waits =
      intent.purpose === "recover" ? whileRecovering(intent, names, edges) : whileUndoing(intent, names, edges);
    const joined: PlanIntent = {
      ...intent,
      steps: intent.steps.map((step) => {
        const after = [...waits(step)].toSorted();
        return after.length === 0 ? step : { ...step, after };
      }),
    };
    return { ...plan, intent: joined, digest: planDigest(joined) };
  });
  const intent: JointPlan["intent"] = {
    schemaVersion: 1,
    purpose: plans[0]?.intent.purpose ?? "recover",
    asked,
    parts: parts.map(({ digest }) => digest),
  };
  return {
    digest: planDigest(intent),
    intent,
    forecast: { at: now, ...forecastOf(parts), leftAlone: [...leftAlone] },
    parts,
  };
};

const forecastOf = (parts: readonly Plan[]): Pick<JointPlan["forecast"], "totalMs" | "spans"> => {
  const forecasts = new Map(parts.map(({ intent, forecast }) => [intent.service, forecast]));
  const durationMs = (id: PlanStep["id"]): number => forecasts.get(laneOf(id))?.steps[ownId(id)]?.durationMs ?? 0;
  const { queue, graph } = jointQueue(
    parts.map(({ intent }) => intent),
    { durationMs },
  );
  const ends = new Map<string, number>();
  const { spanOf } = simulateQueue(queue.numbered);
  for (const id of graph.order)
    ends.set(laneOf(id), Math.max(ends.get(laneOf(id)) ?? 0, Math.round(spanOf(id)?.toMs ?? 0)));
  return {
    totalMs: Math.max(0, ...ends.values()),
    spans: parts.map(({ intent: { service } }) => ({ service, toMs: ends.get(service) ?? 0 })),
  };
};

type Waits = (step: PlanStep) => ReadonlySet<string>;

/** The parts that stand behind a service: itself, or where it is no part those that it needs in its turn. */
const partsBehind = (service: string, parts: ReadonlySet<string>, edges: readonly ServiceEdge[]): readonly string[] =>
  parts.has(service)
    ? [service]
    : edges.filter(({ from }) => from === service).flatMap(({ to }) => partsBehind(to, parts, edges));

/**
 * Before the cutover a step waits only for what its own texts name: a dump that is restored needs no other service. The cutover waits for all, so
 * that users meet nothing that stands on what is not there yet.
 */
const whileRecovering = (intent: PlanIntent, parts: ReadonlySet<string>, edges: readonly ServiceEdge[]): Waits => {
  const own = edges.filter(({ from }) => from === intent.service);
  const behind = (some: readonly ServiceEdge[]): ReadonlySet<string> =>
    new Set(some.flatMap(({ to }) => partsBehind(to, parts, edges)).filter((name) => name !== intent.service));
  const all = behind(own);
  const order = componentOrder(buildGraph(intent.declaration));
  const beginsCutover = firstOfCutover(intent.steps);
  return (step) => {
    if (all.size === 0) return all;
    if (stageOf(step.phase) > 0) return beginsCutover(step) ? all : none;
    // People decide and act on what they see, and see it only when it is there.
    if (step.action.kind === "approve" || step.action.kind === "manual") return all;
    return behind(own.filter((edge) => isOfStep(edge, step, intent.declaration, order)));
  };
};

/** What was put back last is taken back first: what needs a service leaves it before it goes. */
const whileUndoing = (intent: PlanIntent, parts: ReadonlySet<string>, edges: readonly ServiceEdge[]): Waits => {
  const needing = new Set(
    [...parts].filter(
      (other) =>
        other !== intent.service &&
        edges.some(({ from, to }) => from === other && partsBehind(to, parts, edges).includes(intent.service)),
    ),
  );
  const beginsCutover = firstOfCutover(intent.steps);
  return (step) => (beginsCutover(step) ? needing : none);
};

const none: ReadonlySet<string> = new Set();

/** All others of the cutover come after one of these. */
const firstOfCutover = (steps: readonly PlanStep[]): ((step: PlanStep) => boolean) => {
  const stages = new Map(steps.map(({ id, phase }) => [id, stageOf(phase)]));
  return ({ phase, needs }) => stageOf(phase) > 0 && needs.every((need) => stages.get(need) === 0);
};

const movesBytes: ReadonlySet<PlanStep["action"]["kind"]> = new Set(["restore", "save-lost"]);

/** Does the edge come from a text that the step is bound by? What other steps are bound by, it waits for by way of them. */
const isOfStep = (
  { component, path }: ServiceEdge,
  { action }: PlanStep,
  { invariants }: ServiceDeclaration,
  order: ComponentOrder,
): boolean => {
  const [section, name, key] = path;
  if (action.kind === "provision" || action.kind === "teardown")
    return section === "provision" && name === action.provision;
  const asked =
    action.kind === "check-invariant"
      ? [action.invariant]
      : action.kind === "try" || action.kind === "start"
        ? (action.invariants ?? [])
        : [];
  // Moving bytes takes the address of the component itself; it asks no check, and what is started later is not there yet.
  if (movesBytes.has(action.kind) && (key === "checks" || key === "dependsOn")) return false;
  if (section === "invariants") return asked.some((invariant) => invariant === name);
  const named = [
    ...("component" in action ? [action.component] : []),
    ...asked.flatMap((invariant) => {
      const declared = invariants[invariant];
      return declared === undefined ? [] : componentsAsked(declared);
    }),
  ];
  return component !== null && named.some((one) => one === component || order.dependenciesOf(one).has(component));
};
