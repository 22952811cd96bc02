/**
 * Provision of an isolated sandbox: a program with a network of its own, where ports, addresses and names are those of production and
 * nothing leads out. It outlives Refloat as any provisioned process does. By unshare and bubblewrap, as root.
 */
import { chmod } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { z } from "zod";
import type { DriverContext, PreflightReport } from "../../core/ports/driver.ts";
import type { ProvisionDriver, ProvisionOwner, ProvisionSight } from "../../core/ports/provision.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { durationTextSchema, environmentSchema } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { bindEnvironment } from "../../platform/bound-environment.ts";
import { readInstanceRecord, writeInstanceRecord } from "../../platform/instance-record.ts";
import { isPortOpenAround } from "../../platform/port-owner.ts";
import { type ProcessRow, isFirstOfNamespace } from "../../platform/process-table.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { findInstanceProcesses } from "./find-process.ts";
import type { ProcessContext, ProcessOptions } from "./process-options.ts";
import { processName, recordedOwner, stopOwned } from "./provision-record.ts";
import { enterWords, hostsFile, sandboxWords } from "./sandbox-words.ts";
import { endFailedStart, spawnKept, startFailure } from "./start-process.ts";

const addressSchema = z.string().refine((text) => isIP(text) !== 0, "an IP address, such as 10.0.0.11");
const pathsSchema = z.array(z.string().regex(/^\//, "an absolute path"));
const hostNamePattern = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/;

const sandboxSchema = z
  .strictObject({
    start: z.string().min(1).meta({
      description: "Line for /bin/sh that runs inside, in the foreground. When it ends, so does the sandbox.",
    }),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .meta({ description: "Port that it listens on inside, be it taken outside or not: it is there once it does." }),
    addresses: z
      .array(addressSchema)
      .optional()
      .meta({
        description: "Addresses of production that are its own inside: what asks for them asks the sandbox.",
        examples: [["10.0.0.11"]],
      }),
    hosts: z
      .record(z.string().regex(hostNamePattern, "a host name"), addressSchema)
      .optional()
      .meta({ description: "Names of production and their addresses, as /etc/hosts has them inside." }),
    hostname: z
      .string()
      .regex(hostNamePattern, "a host name")
      .optional()
      .meta({ description: "What the machine is called inside." }),
    read: pathsSchema.optional().meta({ description: "Folders and files that it may read, besides /usr." }),
    write: pathsSchema.optional().meta({ description: "Folders that it may write; anything else is gone with it." }),
    environment: environmentSchema
      .optional()
      .meta({ description: "Variables for start. Whatever stands here can be read inside." }),
    startTimeout: durationTextSchema.optional().meta({ description: "How long until its port listens: 60s." }),
    stopTimeout: durationTextSchema
      .optional()
      .meta({ description: "How long it may take to stop before SIGKILL: 10s." }),
  })
  .meta({ description: "An isolated sandbox: production's ports, addresses and names inside, and no way out." });
export type SandboxOptions = z.infer<typeof sandboxSchema>;
type Context = DriverContext<SandboxOptions>;

const lookAgainMs = 20;
/** Each with the word at which it says its version. */
const programs = [
  ["unshare", "--version"],
  ["ip", "-Version"],
  ["bwrap", "--version"],
  ["nsenter", "--version"],
  ["setpriv", "--version"],
] as const;

/** The same entry as the pieces that run applications know it. Its port is none of this machine's. */
const asApplication = ({ options, ...context }: Context): ProcessContext => {
  const { start, stopTimeout } = options;
  return {
    ...context,
    options: {
      start,
      release: context.stateDirectory,
      ports: "0",
      ...(stopTimeout === undefined ? {} : { stopTimeout }),
    } satisfies ProcessOptions,
  };
};

/** The process with whose end all inside ends. */
const firstInside = (rows: readonly ProcessRow[]): ProcessRow | null =>
  rows.find(({ pid }) => isFirstOfNamespace(pid)) ?? null;

const inspect = async (context: Context): Promise<ProvisionSight> => {
  const rows = await findInstanceProcesses(asApplication(context), processName);
  if (rows.length === 0) return { presence: "absent" };
  const owner = await recordedOwner(context);
  const first = firstInside(rows);
  if (first === null) return { presence: "partial", owner, found: "its first process does not run" };
  const { port } = context.options;
  const found = `sandbox of process ${first.pid}`;
  if (port !== undefined && !isPortOpenAround(first.pid, port))
    return { presence: "partial", owner, found: `${found}, where nothing listens on port ${port}` };
  const record = await readInstanceRecord(context, context.component);
  return record?.state === "begun"
    ? { presence: "partial", owner, found: `${found}, whose start has not come to its end` }
    : { presence: "done", owner, found };
};

const refuseWithoutRoot = (): void => {
  if (process.getuid?.() === 0) return;
  throw new RefloatError("source.denied", "a sandbox is made by root", { hint: "run Refloat as root" });
};

const bindLine = ({ bind, options, component }: Context): Promise<string> =>
  bindCommand(bind, options.start, `start of ${component}`);

const apply = async (context: Context, { run, runUid }: ProvisionOwner): Promise<{ readonly summary: string }> => {
  refuseWithoutRoot();
  const { component: name, options } = context;
  const application = asApplication(context);
  const line = await bindLine(context);
  const { variables, secrets } = await bindEnvironment(context.bind, options.environment);
  await writeInstanceRecord(context, { name, run, runUid }, "begun");
  const hosts = join(context.stateDirectory, "hosts");
  await writeFileAtomically(hosts, hostsFile(options));
  // Inside, a server that runs as its own user reads it too, whatever the mask of this process takes away.
  await chmod(hosts, 0o644);
  const request = { name: processName, release: "/", port: options.port ?? 0 };
  const addresses = (options.addresses ?? []).map((address) => `${address}/${isIP(address) === 6 ? 128 : 32}`);
  try {
    const started = await spawnKept(application, request, {
      words: sandboxWords(options, line, hosts),
      environment: { ...variables, ADDRESSES: addresses.join(" ") },
      secrets,
    });
    await waitUntilThere(context, application, started);
  } catch (error) {
    await endFailedStart(application, request);
    throw error;
  }
  await writeInstanceRecord(context, { name, run, runUid }, "whole");
  return { summary: `a sandbox${options.port === undefined ? "" : ` that answers on port ${options.port} inside`}` };
};

const waitUntilThere = async (
  context: Context,
  application: ProcessContext,
  started: Awaited<ReturnType<typeof spawnKept>>,
): Promise<void> => {
  const { port, startTimeout = "60s" } = context.options;
  const timeoutMs = parseDuration(startTimeout) ?? 60_000;
  const deadline = context.clock.monotonicMs() + timeoutMs;
  for (;;) {
    const rows = await findInstanceProcesses(application, processName);
    const first = firstInside(rows);
    if (first !== null && (port === undefined || isPortOpenAround(first.pid, port))) return;
    if (rows.length === 0) throw await startFailure(application, started, "ended before it was there");
    if (context.clock.monotonicMs() > deadline)
      throw await startFailure(application, started, `was not there within ${timeoutMs / 1_000} s`);
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

const missingPrograms = async ({ signal }: Context): Promise<readonly string[]> => {
  const missing: string[] = [];
  for (const [program, word] of programs) {
    try {
      await runProgram(program, [word], { signal });
    } catch (error) {
      if (!(error instanceof RefloatError) || error.code !== "program.missing") throw error;
      missing.push(program);
    }
  }
  return missing;
};

const preflight = async (context: Context): Promise<PreflightReport> => {
  const { component: name, options } = context;
  const line = await bindLine(context);
  const missing = await missingPrograms(context);
  const sight = await inspect(context);
  const isRoot = process.getuid?.() === 0;
  return {
    findings: [
      {
        ok: sight.presence !== "partial",
        subject: `provision ${name}`,
        found: sight.presence === "absent" ? "is not there: a recovery makes it" : sight.found,
      },
      ...missing.map((program) => ({
        ok: false,
        subject: program,
        found: "is not installed",
        hint: "Debian: bubblewrap, iproute2, util-linux",
      })),
      ...(isRoot
        ? []
        : [{ ok: false, subject: "rights", found: "a sandbox is made by root", hint: "run Refloat as root" }]),
    ],
    commands: [],
    recoveryCommands: [sandboxWords(options, line, "HOSTS").map(shellWord).join(" ")],
    grants: [],
  };
};

export const sandboxProvision: ProvisionDriver<SandboxOptions> = {
  type: "sandbox",
  summary: "An isolated sandbox: production's ports, addresses and names inside, and no way out.",
  options: sandboxSchema,
  outputs: () => ({
    enter: { description: "Words that run what follows them inside: ${box.enter} psql ...", secret: false },
    pid: { description: "Process id of its first process, as seen from outside.", secret: false },
  }),
  preflight,
  preview: async ({ options: { start, port } }) => ({
    what: `an isolated sandbox${port === undefined ? "" : `, port ${port} inside`}: ${start}`,
    detail: [],
  }),
  inspect,
  apply,
  read: async (context) => {
    const first = firstInside(await findInstanceProcesses(asApplication(context), processName));
    if (first === null)
      throw new RefloatError("provision.absent", `${context.component} has ended`, {
        context: { provision: context.component },
      });
    return {
      enter: { value: enterWords(first.pid), secret: false },
      pid: { value: String(first.pid), secret: false },
    };
  },
  destroy: (context, owner) => stopOwned(asApplication(context), owner),
};
