/**
 * save-lost: what was written to the old side after the point. Early, while the service runs, so that it is shown and safe;
 * finally, after the switch, when nothing can be added any more. The final one also lets the new side go on where the old
 * one stopped (sequences), before any traffic.
 */
import type { WriteReport } from "../core/ports/driver.ts";
import type { JsonObject } from "../model/json.ts";
import {
  type MakeHandler,
  nothing,
  presenceByOutput,
  restoredInstance,
  stepId,
  stepTimeoutMs,
  textOf,
  withStep,
} from "./step-bench.ts";

export const createSaveLostStep: MakeHandler<"save-lost"> = (parts) => ({
  kind: "save-lost",
  timeoutMs: stepTimeoutMs.data,
  retries: 2,

  prepare: async (context) => ({ directory: `${await parts.directories.run(context.run.number)}/lost` }),

  check: presenceByOutput,

  clear: nothing,

  apply: (context) =>
    withStep(parts, context, async (access) => {
      const { component, stage } = context.action;
      const driver = access.driver(component);
      const driverContext = await access.context(component);
      const directory = textOf(context.intent, "directory");
      const since = context.plan.point?.components[component]?.facts.position;
      // Nothing is behind the name then that could go on where the other side stopped.
      const goesToNothing = context.plan.undoes?.exchanges[component]?.toNothing === true;
      const outgoing =
        stage === "early" ? null : textOf(context.outputs.get(stepId(`switch:${component}`)), "outgoing");
      let report: WriteReport = { lastWriteAt: null, units: [], gaps: [] };
      if (driver.writes !== undefined && since !== undefined) {
        report = await driver.writes.writesSince(driverContext, {
          location: outgoing,
          since,
          against: stage === "early" ? restoredInstance(context, component).name : null,
          exportTo: directory,
        });
      }
      const settled =
        outgoing === null || driver.switching.settle === undefined || goesToNothing
          ? []
          : await driver.switching.settle(driverContext, outgoing);
      return { kind: "done", output: { ...lostOutput(report), directory, settled } };
    }),

  compensate: nothing,
});

const lostOutput = (report: WriteReport): JsonObject => ({
  lastWriteAt: report.lastWriteAt,
  units: report.units.map(({ name, added, changed, removed, file }) => ({
    name,
    added,
    changed,
    removed,
    file: file ?? null,
  })),
  gaps: report.gaps,
});
