/**
 * Directs traffic by the one server of an upstream block: its file is rewritten, tested by nginx and loaded. A server that is `down`
 * takes no request. Held is what the last worker of the old configuration has ended for: until then it may still answer by the old side.
 */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import type { PreflightReport } from "../../core/ports/driver.ts";
import type { TrafficContext, TrafficDriver } from "../../core/ports/traffic.ts";
import { refuseMovedTraffic } from "../../core/run/refuse-moved-traffic.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { type ProcessIdentity, isAlive, signalProcess } from "../../platform/process-table.ts";
import { readTextFile, replaceText } from "../../platform/replace-text.ts";
import { describeEnd, hintOfEnd, lastLines, runShellLine } from "../../platform/shell-line.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { waitUntil } from "../../platform/wait-until.ts";
import { type NginxOptions, nginxOptionsSchema } from "./nginx-options.ts";
import { type UpstreamServer, readUpstream, writeUpstream } from "./upstream-file.ts";
import { listWorkers, readMaster } from "./workers.ts";

const lineTimeoutMs = 30_000;
/** Requests under way get this long to be answered before their workers are ended. */
const drainMs = 500;
const proofTimeoutMs = 10_000;

const serverIn = (text: string, { nginx, upstream }: NginxOptions): UpstreamServer =>
  readUpstream(text, nginx, upstream);

const runLine = async (context: TrafficContext, declared: string, what: string): Promise<void> => {
  const line = await bindCommand(context.bind, declared, what);
  const { signal, marker } = context;
  const result = await runShellLine(line, { signal, marker, mayLeaveDaemon: true, timeoutMs: lineTimeoutMs });
  const end = describeEnd(result);
  if (end === null) return;
  const said = lastLines(result.output, 5);
  throw new RefloatError(
    "program.failed",
    `"${declared}" failed: ${end}${said === "" ? "" : `: ${said}`}`,
    hintOfEnd(result),
  );
};

/** Writes the file and has nginx test it; what it refuses is taken back before it could be loaded by anybody. @returns the file's new text */
const writeServer = async (
  context: TrafficContext,
  options: NginxOptions,
  before: string,
  server: Pick<UpstreamServer, "address" | "down">,
): Promise<string> => {
  const { nginx, upstream } = options;
  const after = writeUpstream(before, nginx, upstream, server);
  await replaceText(nginx, before, after);
  try {
    await runLine(context, options.check, "nginx check");
  } catch (error) {
    await replaceText(nginx, after, before);
    throw error;
  }
  return after;
};

/** Loads what was written. @returns workers of the configuration before, which finish their requests by it */
const load = async (context: TrafficContext, options: NginxOptions): Promise<readonly ProcessIdentity[]> => {
  const master = await readMaster(options.pid);
  const old = listWorkers(master);
  const known = new Set(old.map(({ pid }) => pid));
  await runLine(context, options.reload, "nginx reload");
  // A master that cannot load it goes on with what it has, and puts new workers of that kind in the place of ended ones.
  if (!(await waitUntil(context, proofTimeoutMs, () => listWorkers(master).some(({ pid }) => !known.has(pid))))) {
    throw new RefloatError("fence.failed", `nginx did not load ${options.nginx}: no new worker process came`, {
      hint: `see nginx's error log; "${options.reload}" must reach the nginx of ${options.pid}`,
    });
  }
  return old;
};

/** Resolves when none of them is left. @throws RefloatError fence.failed */
const endWorkers = async (
  context: TrafficContext,
  options: NginxOptions,
  old: readonly ProcessIdentity[],
): Promise<void> => {
  const leftOf = (): readonly ProcessIdentity[] => old.filter(isAlive);
  if (!(await waitUntil(context, drainMs, () => leftOf().length === 0)))
    for (const worker of leftOf()) signalProcess(worker, "SIGTERM");
  if (await waitUntil(context, proofTimeoutMs, () => leftOf().length === 0)) return;
  const left = leftOf();
  throw new RefloatError(
    "fence.failed",
    `${left.length} worker processes of nginx still serve by the configuration before: ${left.map(({ pid }) => pid).join(", ")}`,
    { hint: `"${options.reload}" must make the nginx of ${options.pid} read its configuration again` },
  );
};

const hold = async (context: TrafficContext, options: NginxOptions): Promise<void> => {
  // Asked first: nothing is written for an nginx that does not run.
  await readMaster(options.pid);
  const before = await readTextFile(options.nginx);
  await writeServer(context, options, before, { ...serverIn(before, options), down: true });
  // Also when it was down already: whoever wrote it may have died before it was loaded.
  await endWorkers(context, options, await load(context, options));
};

const serverAddress = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$|^unix:\/[^\s;{}"']+$/;

const admit: TrafficDriver<NginxOptions>["admit"] = async (context, options, to, from = null) => {
  if (!serverAddress.test(to)) {
    throw new RefloatError("config.invalid", `traffic cannot be directed to "${to}": nginx wants host:port`, {
      hint: "write to: ${app.address}, or 127.0.0.1:8082",
    });
  }
  const { nginx, upstream } = options;
  const before = await readTextFile(nginx);
  const { address } = serverIn(before, options);
  refuseMovedTraffic(`upstream ${upstream} of ${nginx}`, address, to, from);
  const after = await writeServer(context, options, before, { address: to, down: false });
  const old = await load(context, options).catch(async (error: unknown) => {
    context.signal.throwIfAborted();
    // Whoever loads the file later, or starts nginx by it, would send users where nobody has looked on. That they go on where the run has
    // seen them go is right in any case.
    if (from?.includes(to) !== true) await replaceText(nginx, after, before);
    throw error;
  });
  await endWorkers(context, options, old);
};

type Finding = PreflightReport["findings"][number];

const lookAtFile = async (options: NginxOptions, server: UpstreamServer): Promise<Finding> => {
  const { nginx, upstream } = options;
  try {
    // It is replaced, so that nobody reads half of it.
    await access(dirname(nginx), constants.W_OK | constants.X_OK);
  } catch (error) {
    return { ok: false, subject: dirname(nginx), found: `cannot be written: ${describeSystemError(error)}` };
  }
  return { ok: true, subject: nginx, found: `${upstream}: ${server.address}, ${server.down ? "down" : "admitted"}` };
};

const lookAtCheck = async (context: TrafficContext, { check }: NginxOptions): Promise<Finding> => {
  try {
    await runLine(context, check, "nginx check");
    return { ok: true, subject: check, found: "nginx takes its configuration as it stands" };
  } catch (error) {
    context.signal.throwIfAborted();
    const found = error instanceof Error ? error.message : String(error);
    return { ok: false, subject: check, found, hint: "mend it now: a cutover could not be loaded" };
  }
};

const preflight = async (context: TrafficContext, options: NginxOptions): Promise<PreflightReport> => {
  const server = serverIn(await readTextFile(options.nginx), options);
  const { pid } = await readMaster(options.pid);
  await bindCommand(context.bind, options.reload, "nginx reload");
  return {
    findings: [
      { ok: true, subject: options.pid, found: `nginx runs, process ${pid}` },
      await lookAtFile(options, server),
      await lookAtCheck(context, options),
    ],
    commands: [],
    recoveryCommands: [options.check, options.reload],
    grants: [`write ${dirname(options.nginx)}, and run: ${options.reload}`],
  };
};

export const nginxTraffic: TrafficDriver<NginxOptions> = {
  kind: "nginx",
  summary: "Traffic goes through the one server of an upstream block of nginx.",
  options: nginxOptionsSchema,
  preflight,
  observe: async (_context, options) => {
    const { address, down, parameters } = serverIn(await readTextFile(options.nginx), options);
    // A file says nothing about users of an nginx that does not run.
    await readMaster(options.pid);
    return { admitted: !down, address, raw: { parameters: parameters.join(" ") } };
  },
  hold,
  admit,
};
