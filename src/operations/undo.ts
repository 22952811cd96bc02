/**
 * undo: the plan that puts the old side of a run back. Free of loss only until the new side has taken its first write; after
 * that it says what would be lost and needs the word of a person.
 */
import { type ComponentAccess, withComponents } from "../core/components/component-access.ts";
import { askComponents } from "../core/components/ask-components.ts";
import { lookAtComponents } from "../core/components/look-at-components.ts";
import { lookAtProvisions } from "../core/components/look-at-provisions.ts";
import { awayNumber } from "../core/failback/away-number.ts";
import { buildGraph } from "../core/graph/build-graph.ts";
import { componentOrder } from "../core/planner/component-order.ts";
import { provisionsToKeep } from "../core/planner/undo-steps.ts";
import { planUndo as planUndoSteps } from "../core/planner/plan-undo.ts";
import type { DriverContext, WriteReport } from "../core/ports/driver.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { joinAsNow } from "../core/recovery/draft-joint.ts";
import { describeWrites } from "../core/run/describe-writes.ts";
import { durationSamples } from "../core/run/duration-samples.ts";
import { exportFolder } from "../core/run/export-folder.ts";
import { nextRunNumber } from "../core/run/next-run-number.ts";
import { hasSideToPutBack, refuseUndo } from "../core/run/refuse-undo.ts";
import {
  type SwitchedComponent,
  fencedReleases,
  processesLeft,
  retiredComponents,
  switchedComponents,
} from "../core/run/switched-components.ts";
import { sentTraffic, withTrafficBefore } from "../core/run/traffic-before.ts";
import { hasWrites, mayHaveWrites } from "../core/run/written-units.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { JointPlan } from "../model/joint-plan.ts";
import type { Failback, Plan } from "../model/plan.ts";
import type { SilentComponent } from "../model/outcome.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";

export type UndoRequest = {
  readonly run: RunNumber;
  readonly acceptLoss: boolean;
  /** How many runs will be made before its own: names bear the number of a run. None when left out. */
  readonly runsBefore?: number;
};

type NewWrites = {
  readonly component: string;
  readonly report: WriteReport;
  readonly since: string;
  /** Of the export; null when nothing could be asked. */
  readonly directory: string | null;
};

/** @throws RefloatError run.wrong-state, undo.would-lose (with what would be lost, exported for review) */
export const planUndo = async (bench: Workbench, request: UndoRequest, signal: AbortSignal): Promise<Plan> => {
  const planned = await draftUndo(bench, request, signal);
  await (await bench.journal()).savePlan(planned);
  return planned;
};

/**
 * One plan that takes all services back that were recovered together with this run, what was put back last first. Those that did not get so far,
 * or were taken back alone, have nothing to take back.
 * @throws as planUndo
 */
export const planJointUndo = async (
  bench: Workbench,
  request: UndoRequest,
  signal: AbortSignal,
): Promise<JointPlan> => {
  const journal = await bench.journal();
  const runs = await journal.listRuns();
  const { record } = await journal.readRun(request.run);
  const members = (record.joint?.members ?? [record]).flatMap(({ uid }) => runs.find((run) => run.uid === uid) ?? []);
  // The one that was named is undone or refused, whatever its state.
  const serving = members.filter((run) => run.number === record.number || hasSideToPutBack(run)).toReversed();
  const plans: Plan[] = [];
  const losing: RefloatError[] = [];
  for (const [runsBefore, { number }] of serving.entries())
    try {
      plans.push(await draftUndo(bench, { ...request, run: number, runsBefore }, signal));
    } catch (error) {
      // What the others would lose is to be known as well before one decides.
      if (!(error instanceof RefloatError) || error.code !== "undo.would-lose") throw error;
      losing.push(error);
    }
  const [first] = losing;
  if (first !== undefined)
    throw new RefloatError("undo.would-lose", losing.map(({ message }) => message).join("; "), {
      cause: first,
      context: { writes: losing.map(({ context }) => context) },
      state: losing.flatMap(({ state = [] }) => state).join("; "),
      ...(first.hint === undefined ? {} : { hint: first.hint }),
      nextCommand: `refloat undo ${request.run} --with-needs --accept-loss`,
    });
  const joint = await joinAsNow(bench, record.service, plans);
  await journal.savePlan(joint);
  return joint;
};

const draftUndo = async (bench: Workbench, request: UndoRequest, signal: AbortSignal): Promise<Plan> => {
  const journal = await bench.journal();
  const { record, plan } = await journal.readRun(request.run);
  const runs = await journal.listRuns();
  refuseUndo(record, runs);
  const switched = switchedComponents(record);
  const service = withTrafficBefore(record, plan.intent.declaration);
  const directory = `${await bench.directories.run(record.number)}/after-cutover`;
  const sent = sentTraffic(record.steps.find(({ id }) => id === "admit")?.intent ?? undefined);
  return withComponents(
    bench,
    { service, locate: () => null, marker: `refloat/${record.number}/undo`, signal },
    async (access) => {
      await refuseMovedSides(access, record, switched);
      const returns = await notesOfReturn(access, record, switched);
      const silent = await silentComponents(access, service, signal);
      const written = await newWrites(access, record, switched, directory);
      if (written.length > 0 && !request.acceptLoss) throw wouldLose(record, written, { directory, silent });
      const now = bench.clock.now();
      const look = await lookAtComponents(access, {
        service,
        point: null,
        needed: [...switched.map(({ component }) => component), ...plan.intent.rebound],
        run: nextRunNumber(runs) + (request.runsBefore ?? 0),
      });
      const graph = buildGraph(service);
      const needed = provisionsToKeep(
        { service, rebound: plan.intent.rebound, switched: switched.map(({ component }) => component) },
        componentOrder(graph),
      );
      return planUndoSteps({
        service,
        graph,
        provisions: await lookAtProvisions(access, needed),
        undoes: {
          run: record.number,
          runUid: record.uid,
          acceptLoss: written.length > 0,
          exchanges: Object.fromEntries(
            switched.map(({ component, incoming, outgoing, fromNothing }) => [
              component,
              { incoming: outgoing, outgoing: incoming, ...(fromNothing ? { toNothing: true as const } : {}) },
            ]),
          ),
          releases: fencedReleases(record),
          positions: Object.fromEntries(
            switched.flatMap(({ component, newPosition }) => (newPosition === null ? [] : [[component, newPosition]])),
          ),
          ...(sent.length === 0 ? {} : { traffic: sent }),
        },
        captured: plan.intent.point?.components ?? {},
        rebound: plan.intent.rebound,
        components: look.components,
        silent,
        losses: written.map(({ component, report, since }) => ({
          component,
          about: describeWrites(report),
          lostMs: Math.max(0, now.getTime() - Date.parse(since)),
        })),
        returns,
        history: durationSamples(runs.filter((run) => run.service === service.name)),
        ...(plan.intent.failback === undefined
          ? {}
          : { failback: await comingBack(bench, record, plan.intent.failback, signal) }),
        now: now.toISOString(),
      });
    },
  );
};

/** Both sides are of one server, and none of them can be put anywhere while that does not answer. */
const unanswered = (error: unknown, { number, service }: RunRecord, component: string): unknown => {
  if (!(error instanceof RefloatError) || error.code !== "source.unreachable") return error;
  return new RefloatError(error.code, `run ${number} cannot be undone: ${error.message}`, {
    cause: error,
    context: { ...error.context, component },
    state: "nothing changed",
    hint: `both sides of ${component} are of the server that does not answer: start it and undo again; where it is lost, recover to a point`,
    nextCommand: `refloat validate --live ${service}`,
  });
};

/** Found in the cutover, it would be found while traffic is held. @throws RefloatError run.wrong-state */
const refuseMovedSides = async (
  access: ComponentAccess,
  record: RunRecord,
  switched: readonly SwitchedComponent[],
): Promise<void> => {
  for (const { component, incoming, outgoing, fromNothing } of switched) {
    const exchange = { incoming: outgoing, outgoing: incoming };
    const seen = await access
      .driver(component)
      .switching.observe(await access.context(component), exchange)
      .catch((error: unknown) => {
        throw unanswered(error, record, component);
      });
    const why =
      seen.incoming === null && !fromNothing
        ? `${outgoing}, the old side of ${component}, is not there any more`
        : seen.outgoing === null
          ? null
          : `${incoming}, where the side in use of ${component} is to go, is there already`;
    if (why === null) continue;
    throw new RefloatError("run.wrong-state", `run ${record.number} cannot be undone: ${why}`, {
      state: "nothing changed",
      hint: "somebody renamed or dropped it since; give the sides their names again, or recover to a point",
      nextCommand: `refloat points ${record.service}`,
    });
  }
};

/** An old side that cannot serve is found out before the side in use is stopped for it. @throws RefloatError run.wrong-state */
const notesOfReturn = async (
  access: ComponentAccess,
  record: RunRecord,
  switched: readonly SwitchedComponent[],
): Promise<readonly { readonly component: string; readonly note: string }[]> => {
  const told: { component: string; note: string }[] = [];
  for (const { component, outgoing, fromNothing } of switched) {
    if (fromNothing) continue;
    const seen = await access.driver(component).switching.ofReturn?.(await access.context(component), outgoing);
    if (seen === undefined) continue;
    if (seen.refusal !== null)
      throw new RefloatError(
        "run.wrong-state",
        `run ${record.number} cannot be undone: ${outgoing}, the old side of ${component}, cannot serve: ${seen.refusal}`,
        {
          state: "nothing changed; the new side serves",
          hint: "the old side is kept as it is, so that its files can be mended by hand; commit drops it for good",
          nextCommand: `refloat points ${record.service}`,
        },
      );
    told.push(...seen.notes.map((note) => ({ component, note })));
  }
  return told;
};

/** The side that a failback has left, as its undo puts it back. @throws RefloatError run.wrong-state */
const comingBack = async (bench: Workbench, record: RunRecord, failback: Failback, signal: AbortSignal) => {
  const retired = retiredComponents(record);
  const marker = `refloat/${record.number}/undo`;
  await withComponents(bench, { service: failback.declaration, locate: () => null, marker, signal }, async (access) => {
    for (const { component, name } of retired) {
      const { instances, switching } = access.driver(component);
      const context = await access.context(component);
      const free = await instances.name(context, awayNumber(failback.runUid));
      const seen = await switching.observe(context, { incoming: name, outgoing: free });
      if (seen.incoming !== null && seen.stable === null) continue;
      const why =
        seen.incoming === null
          ? `${name}, where ${component} of the side elsewhere is kept, is not there any more`
          : `something stands behind the name of ${component} on the side elsewhere`;
      throw new RefloatError("run.wrong-state", `run ${record.number} cannot be undone: ${why}`, {
        state: "nothing changed",
        hint: "somebody renamed or dropped it since; give it its name again, or recover there to a point",
        nextCommand: `refloat points ${record.service}`,
      });
    }
  });
  return {
    ...failback,
    declaration: withTrafficBefore(record, failback.declaration, "hold@away"),
    left: {
      retired: Object.fromEntries(retired.map(({ component, name }) => [component, name])),
      processes: processesLeft(record),
    },
  };
};

/** Components that leave a point of the service undone, of this run or not. What a process runs from is captured whether it runs or not. */
const silentComponents = async (
  access: ComponentAccess,
  { components }: ServiceDeclaration,
  signal: AbortSignal,
): Promise<readonly SilentComponent[]> => {
  const served = Object.keys(components).filter((component) => access.driver(component).runtime === undefined);
  return (await askComponents(access, served, signal)).filter(({ isDown }) => isDown);
};

/** That it does not answer is no reason to keep the old side away from users: what it took is not known then, and that is told. */
const unlessSilent = async (
  access: ComponentAccess,
  component: string,
  ask: (context: DriverContext) => Promise<WriteReport>,
): Promise<WriteReport> => {
  const context = await access.context(component);
  try {
    return await ask(context);
  } catch (error) {
    context.signal.throwIfAborted();
    const { code, message } = toRefloatError(error);
    if (code !== "source.unreachable" && code !== "source.failed") throw error;
    return { lastWriteAt: null, units: [], gaps: [`what it has taken cannot be told: ${message}`] };
  }
};

const newWrites = async (
  access: ComponentAccess,
  record: RunRecord,
  switched: readonly SwitchedComponent[],
  directory: string,
): Promise<readonly NewWrites[]> => {
  const written: NewWrites[] = [];
  const exporting = switched.flatMap(({ component }) =>
    access.driver(component).writes === undefined ? [] : component,
  );
  for (const { component, newPosition } of switched) {
    const { writes } = access.driver(component);
    if (writes === undefined) continue;
    if (newPosition === null) {
      // Not knowing is no proof that nothing was written.
      const gaps = ["what it has taken is not known, since the run has no record of where it began"];
      written.push({
        component,
        report: { lastWriteAt: null, units: [], gaps },
        since: record.beganAt,
        directory: null,
      });
      continue;
    }
    const exportTo = exportFolder(directory, component, exporting);
    const report = await unlessSilent(access, component, async (context) =>
      writes.writesSince(context, { location: null, since: newPosition, exportTo }),
    );
    if (mayHaveWrites(report)) written.push({ component, report, since: newPosition.takenAt, directory: exportTo });
  }
  return written;
};

const wouldLose = (
  record: RunRecord,
  written: readonly NewWrites[],
  { directory, silent }: { readonly directory: string; readonly silent: readonly SilentComponent[] },
): RefloatError => {
  const isKnown = written.every(({ report }) => hasWrites(report));
  const isSwitched = (name: string): boolean => switchedComponents(record).some(({ component }) => component === name);
  return new RefloatError(
    "undo.would-lose",
    `undoing run ${record.number} ${isKnown ? "would" : "may"} lose what the new side has taken since the cutover: ${written
      .map(({ component, report }) => `${component}: ${describeWrites(report)}`)
      .join("; ")}`,
    {
      context: {
        writes: written.map(({ component, report, directory: exports }) => ({
          component,
          about: describeWrites(report),
          gaps: report.gaps,
          directory: exports,
        })),
        directory,
      },
      state: written.some(({ report }) => report.units.some(({ file }) => file !== undefined))
        ? `nothing changed; the new rows are listed in ${directory}`
        : "nothing changed",
      hint:
        silent.length === 0
          ? "--accept-loss takes a point of the new side first, so that nothing is gone for good"
          : `${silent.map(({ component, found }) => `${isSwitched(component) ? "the new side of " : ""}${component} does not answer (${found})`).join("; ")}: start it, and a point can be taken first; --accept-loss puts the old side back without one, and the new side is kept`,
      nextCommand: `refloat undo ${record.number} --accept-loss`,
    },
  );
};
