/** The command check: a declared line, run by /bin/sh, that ends with exit status 0. Its last line of output is what was found. */
import { z } from "zod";
import type { CheckContext, CheckDriver } from "../../core/ports/driver.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { describeEnd, lastLine, runShellLine } from "../../platform/shell-line.ts";
import { outputVariables } from "./output-variables.ts";

const optionsSchema = z
  .strictObject({
    command: z.string().min(1).meta({
      description:
        "Line for /bin/sh; exit status 0 passes. Outputs of the component that is asked are in its environment: REFLOAT_URL, REFLOAT_PATH.",
    }),
  })
  .meta({ description: "A command ends with exit status 0." });
type CommandOptions = z.infer<typeof optionsSchema>;

const runCommandCheck = async (context: CheckContext, options: CommandOptions): Promise<CheckOutcome> => {
  const line = await bindCommand(context.bind, options.command, "check command");
  const { variables, secrets } = outputVariables(context.outputs);
  const began = context.clock.monotonicMs();
  const result = await runShellLine(line, {
    signal: context.signal,
    marker: context.marker,
    timeoutMs: context.timeoutMs,
    environment: variables,
    secrets,
  });
  const end = describeEnd(result);
  const said = lastLine(result.output);
  return {
    subject: `command: ${line}`,
    kind: "command",
    status: end === null ? "passed" : "failed",
    found: end === null ? said || "exit status 0" : said === "" ? end : `${said} (${end})`,
    durationMs: context.clock.monotonicMs() - began,
  };
};

export const commandCheck: CheckDriver<CommandOptions> = {
  kind: "command",
  summary: "A command ends with exit status 0.",
  options: optionsSchema,
  run: runCommandCheck,
};
