/**
 * Refuses a plan whose run would need a name that stands for something already: found in the cutover, it would be found while traffic
 * is held. It happens when run numbers begin again, after a lost state folder.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import { formatList } from "../text/quantity.ts";
import type { LiveComponent } from "./planner-input.ts";

/** What stands beside a component's stable name under the names that the run would give. */
export type TakenNames = { readonly instance: boolean; readonly retired: boolean };

export type NamesOfRun = {
  readonly service: string;
  /** Number that it would get. */
  readonly run: number;
  readonly scope: readonly string[];
  /** Without one, no old side is put away. */
  readonly cutover: boolean;
  readonly components: Readonly<Record<string, Pick<LiveComponent, "names">>>;
  readonly taken: Readonly<Record<string, TakenNames>>;
};

/** @throws RefloatError plan.impossible */
export const refuseTakenNames = ({ service, run, scope, cutover, components, taken }: NamesOfRun): void => {
  const found = scope.flatMap((component) => {
    const names = components[component]?.names;
    if (names === undefined) return [];
    return [
      ...(taken[component]?.instance === true ? [`${names.instance} for the new side of ${component}`] : []),
      ...(taken[component]?.retired === true && cutover ? [`${names.retired} for the old side of ${component}`] : []),
    ];
  });
  if (found.length === 0) return;
  throw new RefloatError("plan.impossible", `run ${run} needs names that are taken: ${formatList(found)}`, {
    state: "nothing was changed",
    hint: "rename what somebody may need, drop what nobody does; no run of this journal has made it",
    nextCommand: `refloat plan ${service}`,
  });
};
