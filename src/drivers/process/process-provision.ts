/**
 * Provision of a program that runs on this machine and outlives Refloat: a cache, a stand-in, a server that components need. It is
 * started, found again and stopped by the same pieces as an application.
 */
import { z } from "zod";
import type { DriverContext, PreflightReport } from "../../core/ports/driver.ts";
import type { ProvisionDriver, ProvisionSight } from "../../core/ports/provision.ts";
import { durationTextSchema, environmentSchema } from "../../model/declaration.ts";
import { writeInstanceRecord } from "../../platform/instance-record.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { isPortOpen } from "../../platform/port-owner.ts";
import { describeProcess } from "../../platform/process-table.ts";
import { refuseTakenPort } from "../../platform/published-port.ts";
import { findInstanceProcesses, findProcess, portHolder } from "./find-process.ts";
import type { ProcessContext, ProcessOptions } from "./process-options.ts";
import { processName, recordedOwner, stopOwned } from "./provision-record.ts";
import { startProcess } from "./start-process.ts";

const processProvisionSchema = z
  .strictObject({
    start: z.string().min(1).meta({
      description: "Line for /bin/sh that starts the program. It stays in the foreground or leaves a daemon.",
    }),
    port: z.int().min(1).max(65_535).meta({ description: "TCP port that it listens on: it is there once it does." }),
    directory: z
      .string()
      .regex(/^\//, "directory is an absolute path")
      .optional()
      .meta({ description: "Where it is started; / when left out." }),
    environment: environmentSchema
      .optional()
      .meta({ description: "Variables for start. The place for references, secret ones too." }),
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]*\$?$/i, "user is the name of a user of this machine")
      .optional()
      .meta({ description: "User that it runs as; the one that runs Refloat when left out." }),
    startTimeout: durationTextSchema.optional().meta({ description: "How long until its port listens: 60s." }),
    stopTimeout: durationTextSchema
      .optional()
      .meta({ description: "How long it may take to stop before SIGKILL: 10s." }),
  })
  .meta({ description: "A program that runs on this machine and outlives Refloat." });
type ProcessProvisionOptions = z.infer<typeof processProvisionSchema>;
type Context = DriverContext<ProcessProvisionOptions>;

/** The same entry as the pieces that run applications know it. */
const asApplication = ({ options, ...context }: Context): ProcessContext => {
  const { directory: _directory, port, ...rest } = options;
  // It has no release; where one is asked for, a folder of its own is told.
  const release = context.stateDirectory;
  return { ...context, options: { ...rest, release, ports: port } satisfies ProcessOptions };
};

const inspect = async (context: Context): Promise<ProvisionSight> => {
  const application = asApplication(context);
  const { port } = context.options;
  const running = await findProcess(application, processName);
  if (running === null) {
    refuseTakenPort(context.component, port, "which Refloat has not started");
    return { presence: "absent" };
  }
  const owner = await recordedOwner(context);
  const found = `process ${describeProcess(running.pid ?? 0)}`;
  const serves = isPortOpen(port) && portHolder(await findInstanceProcesses(application, processName), port) !== null;
  return {
    presence: serves ? "done" : "partial",
    owner,
    found: serves ? `${found} on port ${port}` : `${found} does not listen on port ${port}`,
  };
};

const apply: ProvisionDriver<ProcessProvisionOptions>["apply"] = async (context, { run, runUid }) => {
  const { component: name, options } = context;
  await writeInstanceRecord(context, { name, run, runUid }, "begun");
  const { pid } = await startProcess(asApplication(context), {
    name: processName,
    release: options.directory ?? "/",
    port: options.port,
  });
  await writeInstanceRecord(context, { name, run, runUid }, "whole");
  return { summary: `process ${pid ?? "unknown"} on port ${options.port}` };
};

const preflight = async (context: Context): Promise<PreflightReport> => {
  const { options, component: name } = context;
  await bindCommand(context.bind, options.start, `start of ${name}`);
  const sight = await inspect(context);
  const found =
    sight.presence === "absent" ? `is not there: a recovery starts it on port ${options.port}` : sight.found;
  return {
    findings: [{ ok: sight.presence !== "partial", subject: `provision ${name}`, found }],
    commands: [],
    recoveryCommands: [options.start],
    grants: [],
  };
};

const shown = (value: string) => ({ value, secret: false });

export const processProvision: ProvisionDriver<ProcessProvisionOptions> = {
  type: "process",
  summary: "A program that runs on this machine and outlives Refloat.",
  options: processProvisionSchema,
  outputs: () => ({
    address: { description: "127.0.0.1:PORT.", secret: false },
    port: { description: "The port.", secret: false },
    url: { description: "http://127.0.0.1:PORT.", secret: false },
  }),
  preflight,
  preview: async ({ options }) => ({ what: `starts on port ${options.port}: ${options.start}`, detail: [] }),
  inspect,
  apply,
  read: async ({ options: { port } }) => ({
    address: shown(`127.0.0.1:${port}`),
    port: shown(String(port)),
    url: shown(`http://127.0.0.1:${port}`),
  }),
  destroy: (context, owner) => stopOwned(asApplication(context), owner),
};
