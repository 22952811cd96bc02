/**
 * Provision by lines of your own: one makes it, one tells whether it is there, one removes it. Refloat remembers whose it is and whether
 * making it came to its end, so the lines need not.
 */
import { z } from "zod";
import type { DriverContext, PreflightReport } from "../../core/ports/driver.ts";
import type { ProvisionDriver, ProvisionSight } from "../../core/ports/provision.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { durationTextSchema, environmentSchema } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readInstanceRecord, removeInstanceRecord, writeInstanceRecord } from "../../platform/instance-record.ts";
import { lastLine } from "../../platform/shell-line.ts";
import { fixedOutputs, outputsIn } from "./component-outputs.ts";
import { outputNamePattern, outputSchema } from "./component-options.ts";
import { askOutputs, presenceIn } from "./line-tool.ts";
import { about, bindLine, runRawLine } from "./run-line.ts";

const line = (description: string) => z.string().min(1).meta({ description });

const commandProvisionSchema = z
  .strictObject({
    apply: line("Line that makes it. Exit status 0 says that it is there for others to use."),
    inspect: line("Line that prints whether it is there: absent, partial or done. Changes nothing."),
    destroy: line("Line that removes all of it. It may run again, and of what is only half there."),
    outputs: z.record(z.string().regex(outputNamePattern), outputSchema).optional().meta({
      description: "What components bind to, ${box.address}: for each a line that prints the value.",
    }),
    environment: environmentSchema
      .optional()
      .meta({ description: "Variables for all lines. The place for references, secret ones too." }),
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]*\$?$/i, "user is the name of a user of this machine")
      .optional()
      .meta({ description: "User that the lines run as; the one that runs Refloat when left out." }),
    timeout: durationTextSchema.optional().meta({ description: "How long apply and destroy may take: 10m." }),
  })
  .refine((options) => options.outputs === undefined || !Object.hasOwn(options.outputs, "name"), {
    error: "outputs has name already: that of the entry",
  })
  .meta({ description: "Whatever your own lines make, inspect and destroy." });
type CommandProvisionOptions = z.infer<typeof commandProvisionSchema>;
type Context = DriverContext<CommandProvisionOptions>;

const actTimeoutMs = ({ timeout }: CommandProvisionOptions): number => parseDuration(timeout ?? "10m") ?? 600_000;

const inspect = async (context: Context): Promise<ProvisionSight> => {
  const { component: name, options } = context;
  const record = await readInstanceRecord(context, name);
  const { stdout } = await runRawLine(context, {
    declared: options.inspect,
    what: `inspect of ${name}`,
    told: about(name),
    limit: "ask",
  });
  const said = presenceIn(context, name, lastLine(stdout));
  if (said === "absent") return { presence: "absent" };
  const owner = record === null ? null : { run: record.run, runUid: record.runUid };
  // Whatever a line says of what it was killed at: it had not come to its end.
  if (record?.state === "begun") return { presence: "partial", owner, found: "its apply line has not come to its end" };
  return { presence: said, owner, found: `inspect says ${said}` };
};

const act = async (context: Context, key: "apply" | "destroy", told: Readonly<Record<`REFLOAT_${string}`, string>>) =>
  runRawLine(context, {
    declared: context.options[key],
    what: `${key} of ${context.component}`,
    told,
    limit: "act",
    timeoutMs: actTimeoutMs(context.options),
    // What it leaves running is taken for an orphan only while its own attempt has not come to an end.
    mayLeaveDaemon: false,
  });

const apply: ProvisionDriver<CommandProvisionOptions>["apply"] = async (context, { run, runUid }) => {
  const { component: name } = context;
  await writeInstanceRecord(context, { name, run, runUid }, "begun");
  await act(context, "apply", { ...about(name), REFLOAT_RUN: String(run), REFLOAT_RUN_UID: runUid });
  await writeInstanceRecord(context, { name, run, runUid }, "whole");
  return { summary: "made by its apply line" };
};

const destroy: ProvisionDriver<CommandProvisionOptions>["destroy"] = async (context, { run, runUid }) => {
  const { component: name } = context;
  const record = await readInstanceRecord(context, name);
  const sight = await inspect(context);
  if (sight.presence !== "absent") {
    if (record?.runUid !== runUid) {
      const whose = record === null ? "this machine knows no run that made it" : `run ${record.run} made it`;
      throw new RefloatError("instance.exists", `${name} is not torn down: ${whose}`, {
        hint: "remove it by hand, if nobody needs it",
      });
    }
    await act(context, "destroy", { ...about(name), REFLOAT_RUN: String(run), REFLOAT_RUN_UID: runUid });
    const left = await inspect(context);
    if (left.presence !== "absent")
      throw new RefloatError("target.failed", `destroy of ${name} ended well, and ${left.found}`);
  }
  if (record?.runUid === runUid) await removeInstanceRecord(context, name);
};

const preflight = async (context: Context): Promise<PreflightReport> => {
  const { component: name, options } = context;
  const sight = await inspect(context);
  for (const key of ["apply", "destroy"] as const)
    await bindLine(context, options[key], `${key} of ${name}`, about(name));
  const found = sight.presence === "absent" ? "is not there: a recovery makes it" : sight.found;
  return {
    findings: [{ ok: sight.presence !== "partial", subject: `provision ${name}`, found }],
    commands: [],
    recoveryCommands: [options.inspect, options.apply, options.destroy],
    grants: [],
  };
};

export const commandProvision: ProvisionDriver<CommandProvisionOptions> = {
  type: "command",
  summary: "Whatever your own lines make, inspect and destroy.",
  options: commandProvisionSchema,
  outputs: (options) => ({ ...fixedOutputs, ...outputsIn((options as { readonly outputs?: unknown }).outputs) }),
  preflight,
  preview: async ({ options }) => ({ what: `by: ${options.apply}`, detail: [] }),
  inspect,
  apply,
  read: (context) => askOutputs(context, context.component, context.options.outputs),
  destroy,
};
