/**
 * A recovery as it would be now: looks at the point, the service and the target, and plans. Changes nothing and refuses nothing for want of room; who
 * plans to execute does, and who asks for readiness tells it.
 */
import { capturedPart } from "../components/captured-part.ts";
import { bindFences } from "../components/bind-fences.ts";
import { type ComponentAccess, withComponents } from "../components/component-access.ts";
import { type Look, lookAtComponents } from "../components/look-at-components.ts";
import { lookAtProvisions } from "../components/look-at-provisions.ts";
import { withSettled } from "../components/settled-differences.ts";
import { requireSecrets } from "../declaration/missing-secrets.ts";
import { findService, requireComponents } from "../declaration/find-service.ts";
import { buildGraph } from "../graph/build-graph.ts";
import { servicesBoundTo } from "../graph/service-graph.ts";
import { componentOrder } from "../planner/component-order.ts";
import { neededProvisions } from "../planner/provision-steps.ts";
import type { RecoveryInput, StandingServer } from "../planner/planner-input.ts";
import { planRecovery } from "../planner/plan-recovery.ts";
import { refuseTakenNames } from "../planner/refuse-taken-names.ts";
import { refuseUnswitchable } from "../planner/refuse-unswitchable.ts";
import { composePoints } from "../points/compose-points.ts";
import { memberConflicts } from "../points/composition-words.ts";
import { chooseMoment } from "../points/choose-moment.ts";
import type { LogTarget } from "../points/log-target.ts";
import type { Workbench } from "../ports/workbench.ts";
import { durationSamples } from "../run/duration-samples.ts";
import { nextRunNumber } from "../run/next-run-number.ts";
import { rehearsedSides } from "../run/standing-beside.ts";
import { invariantSide } from "../invariants/invariant-sides.ts";
import { compareSets } from "../invariants/compare-sets.ts";
import { linksAtRisk } from "../invariants/links-at-risk.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { Graph } from "../../model/graph.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { BrokenLinks, Plan } from "../../model/plan.ts";
import type { RunRecord } from "../../model/run.ts";

export type PlanRequest = {
  readonly service: string;
  /** As typed; null for the newest point. */
  readonly at: string | null;
  /** What `at` means, where that is known already. */
  readonly target?: LogTarget;
  /** Since when the service is known to be wrong, ISO, besides what an open incident says; then `last` is the last from before it. */
  readonly incidentAt?: string | null;
  /** Components to recover; null for all. */
  readonly only: readonly string[] | null;
  readonly cutover: boolean;
  /** Links of what is kept to what is newer than the point may break. */
  readonly acceptLoss: boolean;
  /** Ask a person once more between validation and cutover. */
  readonly approve: boolean;
  /** How many runs will be made before its own: names bear the number of a run. None when left out. */
  readonly runsBefore?: number;
};

export type RecoveryDraft = { readonly plan: Plan; readonly look: Look; readonly point: RecoveryPoint };

/** @throws RefloatError time.unclear, mark.unknown, run.unknown, point.*, log.*, plan.impossible, cutover.refused, source.* */
export const draftRecovery = async (
  bench: Workbench,
  request: PlanRequest,
  signal: AbortSignal,
): Promise<RecoveryDraft> => {
  const service = findService(await bench.declaration(), request.service);
  requireComponents(service, request.only ?? []);
  const now = bench.clock.now();
  const { point, chosen, closer, points, at, incidentSince, replays, unreached, passed, marks } = await chooseMoment(
    bench,
    { ...request, service: service.name, signal },
    now,
  );
  const only = request.only ?? Object.keys(point.manifest.components);
  if (bench.breakGlass) await requireSecrets(bench, service, only, signal);
  const journal = await bench.journal();
  const runs = await journal.listRuns();
  const graph = buildGraph(service);
  const run = nextRunNumber(runs) + (request.runsBefore ?? 0);
  const look = await withComponents(
    bench,
    {
      service,
      locate: () => null,
      captured: async (name) =>
        capturedPart(point.manifest.components[name], async () => (await bench.vault()).repository),
      marker: `refloat/plan/${service.name}`,
      signal,
    },
    async (access) => {
      const unfenced = request.cutover ? await bindFences(access, service, { byWord: bench.breakGlass }) : {};
      const needed = touched(access, graph, only);
      const looked = await lookAtComponents(access, { service, point, needed, run });
      const isSeen = (component: string): boolean => {
        const { unseen, awaits } = looked.components[component] ?? {};
        return unseen === undefined && awaits === undefined;
      };
      const provisions = await lookAtProvisions(access, neededProvisions(service, componentOrder(graph), needed));
      return {
        ...looked,
        components: withSettled(looked.components, provisions),
        unfenced,
        provisions,
        orphans: await orphansLeft(access, service, point, only, isSeen),
        // What goes on from the point has more than the point's own list tells.
        breaks: await brokenLinks(bench, access, service, point, only, (name) => isSeen(name) && !(name in replays)),
      };
    },
  );
  refuseUnswitchable({ service: service.name, scope: only, cutover: request.cutover, ...look });
  refuseTakenNames({ service: service.name, run, scope: only, cutover: request.cutover, ...look });
  const planned = planRecovery({
    service,
    graph,
    point,
    chosen,
    replays,
    unreached,
    passed,
    marks,
    ...(await conflictsOf(bench, service, point, incidentSince, now)),
    incidentSince,
    closer,
    newest: points.find(({ missing }) => missing.length === 0) ?? null,
    request: {
      at:
        request.at === null
          ? null
          : at.kind === "instant"
            ? { text: request.at, instant: at.instant, ...(at.ahead === undefined ? {} : { ahead: at.ahead }) }
            : { text: request.at, instant: null },
      ...(request.only === null ? {} : { only: request.only }),
      cutover: request.cutover,
      acceptLoss: request.acceptLoss,
      ...(request.approve ? { approve: `cut ${service.name} over to the restored side?` } : {}),
    },
    components: look.components,
    provisions: look.provisions,
    unfenced: look.unfenced,
    orphans: look.orphans,
    breaks: look.breaks,
    boundServices: servicesBoundTo(await bench.declaration(), service.name),
    space: await bench.host.space(look.needs.filter(({ component }) => only.includes(component))),
    standing: serversBeside(service, runs),
    history: durationSamples(runs.filter((run) => run.service === service.name)),
    now: now.toISOString(),
  });
  return { plan: planned, look, point };
};

/** What is restored into a database or a folder alone holds no port. */
const serversBeside = (service: ServiceDeclaration, runs: readonly RunRecord[]): readonly StandingServer[] =>
  runs
    .filter((run) => run.service === service.name)
    .flatMap((run) =>
      rehearsedSides(run).flatMap(({ component, name }) => {
        const ports = service.components[component]?.options["ports"];
        return typeof ports === "string" || typeof ports === "number"
          ? [{ run: run.number, component, name, ports: `${ports}` }]
          : [];
      }),
    );

const conflictsOf = async (
  bench: Workbench,
  service: ServiceDeclaration,
  point: RecoveryPoint,
  incidentSince: string | null,
  now: Date,
): Promise<Pick<RecoveryInput, "memberConflicts" | "composablePoints">> => {
  if (point.composed === undefined) return {};
  const { points, holds } = await bench.vault();
  const facts = {
    keep: service.keep ?? null,
    holds: (await holds.list()).filter((hold) => hold.service === service.name),
    incidentSince,
    now: now.toISOString(),
    timeZone: bench.host.timeZone,
  };
  const all = await points.list(service.name);
  return { memberConflicts: memberConflicts(point, point.composed, all, facts), composablePoints: composePoints(all) };
};

/** What is recovered, and the processes that depend on it: they are bound anew. */
const touched = (access: ComponentAccess, graph: Graph, only: readonly string[]): readonly string[] => {
  const order = componentOrder(graph);
  const recovered = new Set(only);
  const isRebound = (name: string): boolean =>
    access.driver(name).runtime !== undefined && [...order.dependenciesOf(name)].some((other) => recovered.has(other));
  return order.names.filter((name) => recovered.has(name) || isRebound(name));
};

/** What a kept component got since the point, when the rows that name it are recovered to the point: `312 files`, by invariant. */
const orphansLeft = async (
  access: ComponentAccess,
  service: ServiceDeclaration,
  point: RecoveryPoint,
  only: readonly string[],
  isSeen: (component: string) => boolean,
): Promise<Readonly<Record<string, string | null>>> => {
  const orphans: Record<string, string | null> = {};
  for (const [name, { every, in: within }] of Object.entries(service.invariants)) {
    const kept = invariantSide(within).component;
    const since = point.manifest.components[kept]?.facts.position;
    if (!only.includes(invariantSide(every).component) || only.includes(kept) || since === undefined || !isSeen(kept))
      continue;
    const estimate = await access.driver(kept).writes?.estimateSince?.(await access.context(kept), since);
    if (estimate === undefined || estimate === null || estimate.untold !== undefined) continue;
    orphans[name] = estimate.lastWriteAt === since.takenAt ? null : estimate.about;
  }
  return orphans;
};

/** What a kept component names now and the point does not have, where the point's own list can be asked. */
const brokenLinks = async (
  bench: Workbench,
  access: ComponentAccess,
  service: ServiceDeclaration,
  point: RecoveryPoint,
  only: readonly string[],
  isSeen: (component: string) => boolean,
): Promise<readonly BrokenLinks[]> => {
  const { repository } = await bench.vault();
  const breaks: BrokenLinks[] = [];
  for (const { invariant, every, within } of linksAtRisk(service, point.manifest, only)) {
    if (!isSeen(every.component) || !isSeen(within.component)) continue;
    const { capturedValues } = access.driver(within.component);
    const captured = point.manifest.components[within.component];
    // What is asked by way of a server or a program cannot be asked of a point.
    if (typeof within.asked !== "string" || capturedValues === undefined || captured === undefined) continue;
    if (typeof every.asked !== "string" || access.driver(every.component).invariantValues === undefined) continue;
    const compared = await compareSets(
      await access.setValues(every.component, every.asked),
      capturedValues(
        await access.context(within.component),
        within.asked,
        captured,
        await repository.openSnapshot(captured.snapshot),
      ),
    );
    const { broken, brokenSamples: samples } = compared;
    breaks.push({ invariant, every: every.component, in: within.component, broken, samples: [...samples] });
  }
  return breaks;
};
