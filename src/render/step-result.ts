/** What a finished step says for itself, from the output that its handler journaled. Nothing where there is nothing to say. */
import { describeUnit } from "../core/run/describe-unit.ts";
import { exportsOf, lostOutputSchema } from "../core/run/lost-writes.ts";
import { formatAmount, formatBytes, formatList } from "../core/text/quantity.ts";
import { shortName } from "../core/text/short-name.ts";
import { shortId, type StepId } from "../model/identifiers.ts";
import type { JsonObject } from "../model/json.ts";
import { checkOutcomeSchema } from "../model/outcome.ts";
import type { Plan, StepAction } from "../model/plan.ts";
import { z } from "zod";

const outcomesSchema = z.object({ outcomes: z.array(checkOutcomeSchema) });

const unitsSchema = lostOutputSchema.omit({ lastWriteAt: true }).extend({ settled: z.array(z.string()) });

export const describeResult = (plan: Plan, step: StepId, output: JsonObject | null): string => {
  const action = plan.intent.steps.find(({ id }) => id === step)?.action;
  if (action === undefined || output === null) return "";
  return describe(action, output, plan.forecast.steps[step]?.what ?? "");
};

const describe = (action: StepAction, output: JsonObject, what: string): string => {
  const text = (key: string): string => (typeof output[key] === "string" ? output[key] : "");
  switch (action.kind) {
    case "restore": {
      if (output["kept"] === true) return "that of the first point: nothing was written since";
      const size = output["sizeBytes"];
      return [...(typeof size === "number" ? [formatBytes(size)] : []), text("summary")]
        .filter((part) => part !== "")
        .join(", ");
    }
    case "save-lost":
      return describeLost(output);
    case "check":
    case "check-invariant":
    case "check-used":
    case "try":
    case "probe":
    case "start":
      return describeOutcomes(action.kind, output);
    case "migrate":
      return output["needed"] === false ? "not needed" : "its migration ran";
    case "approve":
      if (text("override") !== "") return `OVERRIDDEN by ${text("by")}: ${text("override")}`;
      return text("by") === "" ? "yes" : `yes, ${text("by")}`;
    case "manual":
      return `done by ${text("by")}${text("evidence") === "" ? "" : `: ${text("evidence")}`}`;
    case "capture":
      return text("point") === "" ? "nothing was written after the first point" : `point ${shortId(text("point"))}`;
    case "switch":
      return exchanged(what, text("incoming"), text("outgoing"));
    case "reinstate":
      return what;
    case "drop":
      return output["kept"] === true ? "not needed: nothing was written since" : "";
    case "retire":
      return [text("outgoing"), ...(output["proven"] === true ? ["nothing was written after the point"] : [])].join(
        ", ",
      );
    case "fence":
      return output["stopped"] === null ? "nothing ran" : "stopped";
    case "admit":
      return Array.isArray(output["addresses"]) ? `to ${formatList(output["addresses"].map(String))}` : "";
    case "isolate":
      return text("by") === "" ? text("how") : `said to be dead by ${text("by")}: ${text("evidence")}`;
    case "provision":
    case "teardown":
      return text("summary");
    case "wait":
    case "hold":
    case "reload":
      return "";
    default:
      return action satisfies never;
  }
};

/**
 * By the names that the run gave: another one may have taken the number that the plan was made with.
 * @param what as planned: `shop > shop_old42, shop_r42 > shop`
 */
const exchanged = (what: string, incoming: string, outgoing: string): string => {
  const planned = what.split(", ");
  return planned
    .map((part, index) => {
      const [from = "", to = ""] = part.split(" > ");
      const isLast = index === planned.length - 1;
      if (!isLast) return outgoing === "" ? part : `${from} > ${shortName(outgoing)}`;
      return incoming === "" || from === "nothing" ? part : `${shortName(incoming)} > ${to}`;
    })
    .join(", ");
};

const describeLost = (output: JsonObject): string => {
  const told = unitsSchema.safeParse(output).data;
  if (told === undefined) return "";
  const units = told.units.filter(({ added, changed, removed }) => added + changed + removed > 0);
  const files = units.flatMap(exportsOf);
  const where = files.length === 0 ? "" : ` in ${told.directory}${files.length === 1 ? `/${files[0] ?? ""}` : ""}`;
  return [
    units.length === 0
      ? told.gaps.length === 0
        ? "nothing was written since"
        : "what was written since is not known"
      : `${formatList(units.map((unit) => describeUnit(unit)))}${where}`,
    ...(told.gaps.length === 0 ? [] : [`${formatAmount(told.gaps.length, "gaps")}: ${formatList(told.gaps, 2)}`]),
    ...told.settled,
  ].join("; ");
};

const describeOutcomes = (
  kind: "check" | "check-invariant" | "check-used" | "try" | "probe" | "start",
  output: JsonObject,
): string => {
  const outcomes = outcomesSchema.safeParse(output).data?.outcomes ?? [];
  const [first] = outcomes;
  if (first === undefined) return "";
  const failed = outcomes.filter(({ status }) => status === "failed");
  if (failed.length > 0) return formatList(failed.map(({ subject, found }) => `${subject}: ${found}`));
  if (kind === "probe" || kind === "check-invariant") return first.found;
  if (kind === "check") return formatList([...new Set(outcomes.map(({ found }) => found))], 3);
  return `${formatAmount(outcomes.length, "checks")} passed`;
};
