/** The component type `command`: any tool, by declared lines. docs/plugins.md is its reference. */
import type { ComponentDriver } from "../../core/ports/driver.ts";
import { captureCommand } from "./capture-component.ts";
import { commandInstances } from "./component-instances.ts";
import { stableNameOf } from "./component-names.ts";
import { type CommandComponentOptions, commandComponentSchema } from "./component-options.ts";
import { declaredOutputs, fixedOutputs, outputsAt } from "./component-outputs.ts";
import { commandWrites } from "./component-position.ts";
import { preflightCommand } from "./component-preflight.ts";
import { commandSwitching, reloadCommand } from "./component-switching.ts";

export const commandComponent: ComponentDriver<CommandComponentOptions> = {
  type: "command",
  summary: "Any tool, by capture and restore commands over standard input and output.",
  options: commandComponentSchema,
  outputs: fixedOutputs,
  declaredOutputs,
  stableOutputs: (context) => outputsAt(context, stableNameOf(context)),
  preflight: preflightCommand,
  capture: captureCommand,
  instances: commandInstances,
  switching: commandSwitching,
  writes: commandWrites,
  reload: reloadCommand,
};
