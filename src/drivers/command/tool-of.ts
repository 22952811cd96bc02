import type { CommandContext } from "./component-options.ts";
import { lineTool } from "./line-tool.ts";
import { pluginTool } from "./plugin-tool.ts";
import type { Tool } from "./tool.ts";

/** Which of the two stands for the component's tool. */
export const toolOf = ({ options }: Pick<CommandContext, "options">): Tool =>
  options.plugin === undefined ? lineTool : pluginTool;
