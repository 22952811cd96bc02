/** Refuses a plan with a cutover of what nothing can be put behind: found in the run, it would be found after hours of restoring. */
import { RefloatError } from "../../model/refloat-error.ts";
import { formatList } from "../text/quantity.ts";
import type { LiveComponent } from "./planner-input.ts";

export type SwitchesOfRun = {
  readonly service: string;
  readonly scope: readonly string[];
  readonly cutover: boolean;
  readonly components: Readonly<Record<string, Pick<LiveComponent, "unswitchable">>>;
};

/** @throws RefloatError plan.impossible */
export const refuseUnswitchable = ({ service, scope, cutover, components }: SwitchesOfRun): void => {
  if (!cutover) return;
  const found = scope.flatMap((component) => components[component]?.unswitchable ?? []);
  if (found.length === 0) return;
  const others = scope.filter((component) => components[component]?.unswitchable === undefined);
  const rest = others.length === 0 ? "" : `; the others can be recovered alone: --only ${others.join(",")}`;
  const remedies = found.flatMap(({ remedy }) => remedy ?? []);
  const beside = `--no-cutover restores and checks it beside the live side, and a person puts it into service${rest}`;
  throw new RefloatError("plan.impossible", `no cutover is possible: ${formatList(found.map(({ why }) => why))}`, {
    state: "nothing was changed",
    hint: [...remedies, beside].join("; "),
    nextCommand: `refloat recover ${service} --no-cutover`,
  });
};
