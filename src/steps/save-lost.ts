/**
 * save-lost: what was written to the old side after the point. Early, while the service runs, so that it is shown and safe;
 * finally, after the switch, when nothing can be added any more. The final one also lets the new side go on where the old
 * one stopped (sequences), before any traffic.
 */
import { z } from "zod";
import type { ErrorCode } from "../model/error-catalogue.ts";
import { exportFolder } from "../core/run/export-folder.ts";
import type { WriteReport } from "../core/ports/driver.ts";
import type { StepContext } from "../core/ports/engine.ts";
import { type Position, positionSchema } from "../model/facts.ts";
import type { JsonObject } from "../model/json.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { capturedFor } from "./made-point.ts";
import {
  type Action,
  type MakeHandler,
  type StepParts,
  nothing,
  presenceByOutput,
  restoredInstance,
  stepId,
  stepTimeoutMs,
  textOf,
  withStep,
} from "./step-bench.ts";

const retries = 2;

/** What is wrong with the side that is left, and not with how it is looked at. */
const ofTheSide: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "source.unreachable",
  "source.under-pressure",
  "source.failed",
]);

/** A side that has died is why one recovers: what nobody can ask is told, and keeps nothing from taking its place. A flaw of a moment is tried again first. */
const unlessGone = async (
  context: StepContext<Action<"save-lost">>,
  ask: () => Promise<WriteReport>,
): Promise<WriteReport> => {
  try {
    return await ask();
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError) || !ofTheSide.has(error.code)) throw error;
    if (error.retryable && context.attempt <= retries) throw error;
    return {
      lastWriteAt: null,
      units: [],
      gaps: [`what was written after the point cannot be told: ${error.message}`],
    };
  }
};

export const createSaveLostStep: MakeHandler<"save-lost"> = (parts) => ({
  kind: "save-lost",
  timeoutMs: stepTimeoutMs.data,
  retries,

  prepare: async (context) => {
    const base = `${await parts.directories.run(context.run.number)}/lost`;
    const exporting = context.plan.steps.flatMap(({ action }) => (action.kind === "save-lost" ? action.component : []));
    return { directory: exportFolder(base, context.action.component, [...new Set(exporting)]) };
  },

  check: presenceByOutput,

  clear: nothing,

  apply: (context) =>
    withStep(parts, context, async (access) => {
      const { component, stage } = context.action;
      const driver = access.driver(component);
      const driverContext = await access.context(component);
      const directory = textOf(context.intent, "directory");
      const since = await positionBefore(parts, context, component);
      // Nothing is behind the name then that could go on where the other side stopped.
      const goesToNothing = context.plan.undoes?.exchanges[component]?.toNothing === true;
      const outgoing =
        stage === "early" ? null : textOf(context.outputs.get(stepId(`switch:${component}`)), "outgoing");
      let report: WriteReport = { lastWriteAt: null, units: [], gaps: [] };
      const { writes } = driver;
      if (writes !== undefined && since !== undefined) {
        report = await unlessGone(context, () =>
          writes.writesSince(driverContext, {
            location: outgoing,
            since,
            // What an undo leaves is not compared with the old side, which differs for all that has happened since.
            ...(context.plan.purpose === "undo"
              ? {}
              : { against: stage === "early" ? restoredInstance(context, component).name : null }),
            exportTo: directory,
          }),
        );
      }
      const settled =
        outgoing === null || driver.switching.settle === undefined || goesToNothing
          ? []
          : await driver.switching.settle(driverContext, outgoing);
      const hasReconcile = driver.mending !== undefined && driver.mending.ofPointsAlone !== true;
      return { kind: "done", output: { ...lostOutput(report), directory, settled, hasReconcile } };
    }),

  compensate: nothing,
});

const positionsSchema = z.object({ positions: z.record(z.string(), positionSchema) });

/** From where on the export is what only the old side has: the point; of an undo, the newest point that it took of the new side. */
const positionBefore = async (
  parts: StepParts,
  context: StepContext<Action<"save-lost">>,
  component: string,
): Promise<Position | undefined> => {
  const { undoes, failback } = context.plan;
  // What home has from before users left it was saved early: it has stood still since, and to look through it again would be outage.
  if (undoes === null && failback !== undefined && context.action.stage === "final") return undefined;
  if (undoes === null) return (await capturedFor(parts, context, component))?.facts.position;
  const taken = ["capture:final", "capture"].flatMap(
    (id) => positionsSchema.safeParse(context.outputs.get(stepId(id))).data?.positions[component] ?? [],
  );
  const takesPoint = context.plan.steps.some(({ action }) => action.kind === "capture");
  return taken[0] ?? (takesPoint ? undefined : undoes.positions?.[component]);
};

const lostOutput = (report: WriteReport): JsonObject => ({
  lastWriteAt: report.lastWriteAt,
  units: report.units.map(({ name, added, changed, removed, file, changedFile, byHand, counted }) => ({
    name,
    added,
    changed,
    removed,
    file: file ?? null,
    changedFile: changedFile ?? null,
    byHand: byHand === true,
    ...(counted === undefined ? {} : { counted }),
  })),
  gaps: report.gaps,
});
