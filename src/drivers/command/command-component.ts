/** The component type `command`: any tool, by declared lines or by a plugin. docs/plugins.md is its reference. */
import type { ComponentDriver } from "../../core/ports/driver.ts";
import { captureCommand } from "./capture-component.ts";
import { commandInstances } from "./component-instances.ts";
import { stableNameOf } from "./component-names.ts";
import { type CommandComponentOptions, commandComponentSchema } from "./component-options.ts";
import { declaredOutputs, fixedOutputs } from "./component-outputs.ts";
import { commandWrites } from "./component-position.ts";
import { preflightCommand } from "./component-preflight.ts";
import { commandSwitching } from "./component-switching.ts";
import { toolOf } from "./tool-of.ts";

export const commandComponent: ComponentDriver<CommandComponentOptions> = {
  type: "command",
  summary: "Any tool, by its own commands over standard input and output, or by a plugin.",
  options: commandComponentSchema,
  outputs: fixedOutputs,
  declaredOutputs,
  stableOutputs: (context) => toolOf(context).outputs(context, stableNameOf(context)),
  preflight: preflightCommand,
  capture: captureCommand,
  instances: commandInstances,
  switching: commandSwitching,
  writes: commandWrites,
  reload: (context) => toolOf(context).reload(context),
  reloads: ({ plugin, reload }) => plugin !== undefined || reload !== undefined,
};
