/** When each step of a plan would begin and end by its forecast, with nothing but the limits in its way: the planned half of a Gantt chart. Pure. */
import type { StepId } from "../../model/identifiers.ts";
import type { Plan } from "../../model/plan.ts";
import { type PlannedSpan, simulateRun } from "./scheduling.ts";

/** A person's decision counts as nothing. */
export const plannedSchedule = ({ intent, forecast }: Plan): ((id: StepId) => PlannedSpan | undefined) =>
  simulateRun(intent, (id) => forecast.steps[id]?.durationMs ?? 0).spanOf;
