/** Names of what a `command` component stands for: the stable one, those of a run, and whether one of them is ours to remove. */
import { plainPath, retiredPath } from "../../platform/path-names.ts";
import { type CommandContext, isPath } from "./component-options.ts";

export const stableNameOf = ({
  component,
  options,
}: {
  readonly component: string;
  readonly options: Pick<CommandContext["options"], "name">;
}): string => {
  const { name = component } = options;
  return isPath(name) ? plainPath(name) : name;
};

export const instanceNameOf = (context: Pick<CommandContext, "component" | "options">, run: number): string => {
  const stable = stableNameOf(context);
  return isPath(stable) ? `${stable}.r${run}` : `${stable}_r${run}`;
};

export const retiredNameOf = (context: Pick<CommandContext, "component" | "options">, run: number): string => {
  const stable = stableNameOf(context);
  return isPath(stable) ? retiredPath(stable, run) : `${stable}_old${run}`;
};

/** Number of the run that gave a name. */
export const runOf = (name: string): number => Number(/(\d+)$/.exec(name)?.[1] ?? Number.NaN);

/** Is it a name that a run of this component gives? */
export const isGivenName = (context: Pick<CommandContext, "component" | "options">, name: string): boolean =>
  [instanceNameOf(context, runOf(name)), retiredNameOf(context, runOf(name))].includes(name);
