/** How the parts of a recovery belong together: as the point has them, by markers that were placed in their logs under one hold, or not at all. */
import type { Mark } from "../../model/mark.ts";
import type { PlannedConsistency } from "../../model/plan.ts";
import { formatAmount, formatList } from "../text/quantity.ts";
import type { RecoveryInput } from "./planner-input.ts";
import type { Scope } from "./resolve-scope.ts";

type Facts = Pick<RecoveryInput, "point" | "components" | "chosen"> & {
  readonly replays?: RecoveryInput["replays"];
};

const dataOf = ({ components }: Facts, { recovered }: Scope): readonly string[] =>
  recovered.filter((name) => components[name]?.capabilities.hasRuntime !== true);

/** Where a component goes, ISO: as far as its log leads on, else to its part of the point, which has a moment of its own in a composed one. */
export const momentOf = ({ point, replays = {} }: Pick<Facts, "point" | "replays">, component: string): string =>
  replays[component]?.at ??
  point.composed?.members.find((member) => member.component === component)?.at ??
  point.manifest.consistentAt;

export const forecastConsistency = (facts: Facts, scope: Scope): PlannedConsistency => {
  const { point, replays = {}, chosen } = facts;
  const data = dataOf(facts, scope);
  const [only] = data;
  if (data.length < 2) return { mode: "single", windowMs: 0, why: only === undefined ? "no data" : `${only} alone` };
  const { mode, windowMs } = point.manifest.consistency;
  if (data.every((name) => replays[name] === undefined))
    return { mode, windowMs, why: mode === "composed" ? "parts of several points" : "as the point was taken" };
  const moments = data.map((name) => Date.parse(momentOf(facts, name)));
  const apartMs = Math.max(...moments) - Math.min(...moments);
  const aligned = chosen?.kind === "mark" ? chosen.aligned : undefined;
  const unmarked = data.filter(
    (name) => aligned?.markers[name]?.position !== replays[name]?.to || replays[name] === undefined,
  );
  if (aligned === undefined)
    return {
      mode: "approximate",
      windowMs: apartMs,
      why:
        chosen?.kind === "log-target"
          ? `${chosen.component} goes to ${chosen.what}, and what else has a log to its moment by a clock of its own`
          : "each goes by a clock of its own; no marker ties their logs",
    };
  if (unmarked.length > 0)
    return {
      mode: "approximate",
      windowMs: apartMs,
      why: `${formatList(unmarked)} ${unmarked.length === 1 ? "has" : "have"} no marker, and stay where the point has them`,
    };
  return aligned.mode === "aligned"
    ? {
        mode: "aligned",
        windowMs: aligned.windowMs,
        why: `markers in ${formatAmount(data.length, "logs")}, placed while the service was held`,
      }
    : { mode: "approximate", windowMs: aligned.windowMs, why: aligned.why ?? "nothing held the service" };
};

/** The last mark at or before an instant that ties the logs of all that goes on by one. */
export const alignedMarkBefore = (
  marks: readonly Mark[],
  instant: string,
  components: readonly string[],
): Mark | null =>
  marks
    .filter(
      ({ at, aligned }) =>
        aligned?.mode === "aligned" &&
        Date.parse(at) <= Date.parse(instant) &&
        components.every((name) => aligned.markers[name] !== undefined),
    )
    .toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at))
    .at(0) ?? null;
