/**
 * Traffic directed by declared commands: for anything that has a command line and no driver of its own. Without `observe` nobody
 * can tell where traffic goes, and this says so instead of guessing.
 */
import { z } from "zod";
import type { PreflightReport } from "../../core/ports/driver.ts";
import type { TrafficContext, TrafficDriver } from "../../core/ports/traffic.ts";
import { refuseMovedTraffic } from "../../core/run/refuse-moved-traffic.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { describeEnd, hintOfEnd, lastLine, lastLines, runShellLine } from "../../platform/shell-line.ts";

const optionsSchema = z
  .strictObject({
    command: z.string().min(1).meta({
      description:
        "Line for /bin/sh that directs traffic. REFLOAT_ACTION is admit or hold, REFLOAT_TO the address for admit. It may run again.",
    }),
    hold: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "Line that stops traffic, when it is another one than command with REFLOAT_ACTION=hold." }),
    observe: z.string().min(1).optional().meta({
      description:
        "Line that prints the address that traffic goes to, and nothing while traffic is held. Without it the state is unknown.",
    }),
    to: z.string().optional().meta({ description: "Where traffic goes after the cutover, such as ${app.address}." }),
  })
  // Found out at the cutover, it would be found out while traffic is held.
  .refine(({ to, observe }) => to !== undefined || observe !== undefined, {
    error:
      "needs to: (where traffic goes after the cutover), or observe: to ask where it goes now and send it there again",
  })
  .meta({ description: "Traffic is directed by commands." });
export type CommandTrafficOptions = z.infer<typeof optionsSchema>;

/** No director of traffic needs longer; a line that hangs must not hold up a cutover for ever. */
const timeoutMs = 60_000;

const runLine = async (
  context: TrafficContext,
  declared: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> => {
  const line = await bindCommand(context.bind, declared, "cutover command");
  const result = await runShellLine(line, {
    signal: context.signal,
    marker: context.marker,
    mayLeaveDaemon: true,
    environment,
    timeoutMs,
  });
  const end = describeEnd(result);
  if (end === null) return lastLine(result.stdout);
  const said = lastLines(result.output, 5);
  throw new RefloatError("program.failed", `"${declared}" failed: ${end}${said === "" ? "" : `: ${said}`}`, {
    hint: "run it by hand as the user that runs Refloat, with REFLOAT_ACTION and REFLOAT_TO set, until it ends with 0",
    ...hintOfEnd(result),
  });
};

const observe = async (context: TrafficContext, options: CommandTrafficOptions) => {
  if (options.observe === undefined) return { admitted: null, address: null, raw: {} };
  const said = await runLine(context, options.observe, { REFLOAT_ACTION: "observe" });
  return { admitted: said !== "", address: said === "" ? null : said, raw: { said } };
};

const preflight = async (context: TrafficContext, options: CommandTrafficOptions): Promise<PreflightReport> => {
  const lines = [options.observe, options.hold, options.command].filter((line) => line !== undefined);
  const subject = `command: ${options.command}`;
  for (const line of lines) await bindCommand(context.bind, line, "cutover command");
  const asked = { commands: [], recoveryCommands: lines, grants: [] };
  if (options.observe === undefined) {
    const found = "no observe: line, so nobody can tell where traffic goes; the probe alone proves the cutover";
    return { findings: [{ ok: true, subject, found }], ...asked };
  }
  const { address } = await observe(context, options);
  const found = address === null ? "traffic is held at this moment" : `traffic goes to ${address}`;
  return { findings: [{ ok: true, subject, found }], ...asked };
};

export const commandTraffic: TrafficDriver<CommandTrafficOptions> = {
  kind: "command",
  summary: "Traffic is directed by declared commands.",
  options: optionsSchema,
  preflight,
  observe,
  hold: async (context, options) => {
    await runLine(context, options.hold ?? options.command, { REFLOAT_ACTION: "hold" });
    const { admitted, address } = await observe(context, options);
    if (admitted === true)
      throw new RefloatError(
        "fence.failed",
        `traffic still goes to ${address ?? "the old side"} after "${options.hold ?? options.command}"`,
        {
          hint: "the observe: line must print nothing while traffic is held",
        },
      );
  },
  admit: async (context, options, to, from = null) => {
    if (from !== null && options.observe !== undefined) {
      const { address } = await observe(context, options);
      refuseMovedTraffic(`what "${options.observe}" tells`, address, to, from);
    }
    await runLine(context, options.command, { REFLOAT_ACTION: "admit", REFLOAT_TO: to });
    const { admitted, address } = await observe(context, options);
    if (admitted !== null && address !== to)
      throw new RefloatError(
        "target.failed",
        `traffic goes to ${address ?? "nowhere"} after "${options.command}", not to ${to}`,
      );
  },
};
