/**
 * Directs traffic by the runtime API of HAProxy: a server is put into maintenance, gets another address, is made ready. No reload is
 * needed; that a later reload does not undo it is the state file's business.
 */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { PreflightReport } from "../../core/ports/driver.ts";
import type { TrafficContext, TrafficDriver } from "../../core/ports/traffic.ts";
import { refuseMovedTraffic } from "../../core/run/refuse-moved-traffic.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { waitUntil } from "../../platform/wait-until.ts";
import {
  type HaproxyOptions,
  addressText,
  haproxyOptionsSchema,
  readServerAddress,
  serverNameOf,
} from "./haproxy-options.ts";
import {
  type ServerState,
  askHaproxy,
  countSessions,
  readServer,
  readServers,
  readStateFile,
  setServer,
  shutSessions,
} from "./runtime-api.ts";

/** Maintenance for whatever reason, or draining: no new request goes there. */
const closedBits = 1 | 2 | 4 | 8 | 16 | 32 | 64;
const isAdmitted = (server: ServerState): boolean => (server.administrative & closedBits) === 0;
const isServing = (server: ServerState): boolean => isAdmitted(server) && server.operational !== 0;

/** Requests under way get this long to be answered before their connections are cut. */
const drainMs = 500;
const proofTimeoutMs = 10_000;
const readyTimeoutMs = 20_000;

/** So that HAProxy, when it is reloaded, takes up what was changed at run time. */
const saveState = async (context: TrafficContext, options: HaproxyOptions): Promise<void> => {
  const { stateFile, socket } = options;
  if (stateFile === undefined) return;
  try {
    const mode = await stat(stateFile).then(
      (stats) => stats.mode & 0o777,
      () => 0o644,
    );
    await writeFileAtomically(stateFile, await readStateFile(socket, context.signal), mode);
  } catch (error) {
    context.signal.throwIfAborted();
    // Traffic itself is as it was meant to be; failing here would take it away again for the sake of a later reload.
    context.log.warn(`${stateFile} could not be written, so a reload of HAProxy would undo the switch`, {
      why: describeSystemError(error),
    });
  }
};

const hold = async (context: TrafficContext, options: HaproxyOptions): Promise<void> => {
  const { socket } = options;
  const name = serverNameOf(options);
  const { signal } = context;
  const isIdle = async (): Promise<boolean> => (await countSessions(socket, name, signal)) === 0;
  await setServer(socket, name, "state maint", signal);
  if (!(await waitUntil(context, drainMs, isIdle))) await shutSessions(socket, name, signal);
  const isHeld = await waitUntil(context, proofTimeoutMs, isIdle);
  const server = await readServer(socket, name, signal);
  if (!isHeld || isAdmitted(server)) {
    const sessions = await countSessions(socket, name, signal);
    throw new RefloatError(
      "fence.failed",
      `${options.haproxy} still has ${sessions} sessions after it was put into maintenance`,
    );
  }
  await saveState(context, options);
};

const admit: TrafficDriver<HaproxyOptions>["admit"] = async (context, options, to, from = null) => {
  const { socket } = options;
  const name = serverNameOf(options);
  const { signal } = context;
  const { host, port } = readServerAddress(to);
  const before = addressText(await readServer(socket, name, signal));
  refuseMovedTraffic(options.haproxy, before, addressText({ host, port }), from);
  await setServer(socket, name, `addr ${host} port ${port}`, signal);
  await setServer(socket, name, "state ready", signal);
  const took = async (): Promise<boolean> => {
    const server = await readServer(socket, name, signal);
    return isServing(server) && addressText(server) === addressText({ host, port });
  };
  if (!(await waitUntil(context, readyTimeoutMs, took))) {
    const server = await readServer(socket, name, signal);
    throw new RefloatError(
      "target.failed",
      `${options.haproxy} does not serve from ${to}: it is ${isAdmitted(server) ? "down by its own health check" : "still in maintenance"} at ${addressText(server)}`,
      { hint: `ask HAProxy: echo "show servers state ${name.backend}" | socat - ${socket}` },
    );
  }
  await saveState(context, options);
};

type Finding = PreflightReport["findings"][number];

const lookAtStateFile = async (options: HaproxyOptions, server: ServerState): Promise<Finding> => {
  const { stateFile } = options;
  if (stateFile === undefined) {
    return {
      ok: true,
      subject: "stateFile",
      found: "none declared: a reload of HAProxy after the cutover sends traffic back to the address in haproxy.cfg",
      hint: 'declare stateFile:, and in haproxy.cfg "server-state-file" in global and "load-server-state-from-file global" in defaults',
    };
  }
  try {
    await access(dirname(stateFile), constants.W_OK | constants.X_OK);
  } catch (error) {
    return { ok: false, subject: stateFile, found: `cannot be written: ${describeSystemError(error)}` };
  }
  if (server.resolvedName !== null) return { ok: true, subject: stateFile, found: "can be written" };
  return {
    ok: true,
    subject: stateFile,
    // HAProxy takes ports from the file, but an address only for a server that is declared by a name.
    found: `can be written; after a reload HAProxy keeps the new port, but goes back to ${server.host}, as haproxy.cfg gives an address and no name`,
  };
};

const preflight = async (context: TrafficContext, options: HaproxyOptions): Promise<PreflightReport> => {
  const { socket, haproxy } = options;
  const name = serverNameOf(options);
  const recoveryCommands = [
    `set server ${haproxy} state maint`,
    `shutdown sessions server ${haproxy}`,
    `set server ${haproxy} addr ADDRESS port PORT`,
    `set server ${haproxy} state ready`,
  ];
  const findings: Finding[] = [];
  const level = (await askHaproxy(socket, "show cli level", context.signal)).trim();
  findings.push(
    level === "admin"
      ? { ok: true, subject: socket, found: "answers, level admin" }
      : {
          ok: false,
          subject: socket,
          found: `answers, but its level is ${level}, which may not change servers`,
          hint: `set "stats socket ${socket} level admin" in HAProxy's global section`,
        },
  );
  const servers = await readServers(socket, name, context.signal);
  const server = await readServer(socket, name, context.signal);
  findings.push({
    ok: true,
    subject: haproxy,
    found: `${addressText(server)}, ${isAdmitted(server) ? "admitted" : "in maintenance"}${server.operational === 0 ? ", down" : ""}`,
  });
  const others = servers.filter((other) => other.server !== name.server && isAdmitted(other));
  if (others.length > 0) {
    const list = others.map((other) => `${other.server} (${addressText(other)})`).join(", ");
    findings.push({
      ok: true,
      subject: name.backend,
      found: `other servers of the back end keep taking traffic during a cutover: ${list}`,
      hint: "add a cutover entry for each that serves the same application",
    });
  }
  findings.push(await lookAtStateFile(options, server));
  return {
    findings,
    commands: [],
    recoveryCommands,
    grants: [`stats socket ${socket} user USER mode 600 level admin`],
  };
};

export const haproxyTraffic: TrafficDriver<HaproxyOptions> = {
  kind: "haproxy",
  summary: "Traffic goes through one server of an HAProxy back end.",
  options: haproxyOptionsSchema,
  preflight,
  observe: async (context, options) => {
    const server = await readServer(options.socket, serverNameOf(options), context.signal);
    const { operational, administrative, resolvedName } = server;
    return {
      admitted: isAdmitted(server),
      address: addressText(server),
      raw: { operational, administrative, resolvedName },
    };
  },
  hold,
  admit,
};
