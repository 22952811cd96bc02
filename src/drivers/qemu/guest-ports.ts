/**
 * Does the machine itself answer on a port? That qemu listens on this side of it tells nothing, and a connection is taken before anybody
 * inside was asked. So one is opened, and qemu's own table says whether the system inside has taken it.
 */
import { type Socket, connect } from "node:net";
import type { ProcessIdentity } from "../../platform/process-table.ts";
import { type PublishedPort, askedAddress, publishedPorts } from "../../platform/published-port.ts";
import { waitUntil } from "../../platform/wait-until.ts";
import { askConnections, talkToMachine } from "./ask-machine.ts";
import type { QemuContext } from "./qemu-options.ts";

/** How long an answer is waited for. One on its way up is asked again by a new connection, which answers sooner than an old one. */
export const patience = { startingMs: 3_000, runningMs: 15_000 } as const;

/** Lines of `info usernet`: `TCP[ESTABLISHED] 17 127.0.0.1 2222 10.0.2.15 22 0 0`, the newest connection first. */
const linePattern = /^\s*TCP\[(\w+)\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+(\d+)\s/gm;

/** @returns the state of the newest connection by this port, null when there is none */
const newestState = (table: string, { port, inside }: PublishedPort): string | null => {
  for (const [, state = "", outer, inner] of table.matchAll(linePattern))
    if (state !== "HOST_FORWARD" && Number(outer) === port && Number(inner) === inside) return state;
  return null;
};

const taken = new Set(["ESTABLISHED", "CLOSE_WAIT"]);

const answers = async (
  context: QemuContext,
  machine: ProcessIdentity,
  uuid: string,
  port: PublishedPort,
  answerMs: number,
): Promise<boolean> => {
  let isOver = false;
  let hasSpoken = false;
  const socket: Socket = connect(port.port, askedAddress(port));
  socket.on("data", () => (hasSpoken = true));
  socket.on("error", () => undefined);
  socket.on("close", () => (isOver = true));
  try {
    return await talkToMachine(context, machine, uuid, async (qmp) => {
      const isKnown = await waitUntil(context, answerMs, async () => {
        if (hasSpoken || isOver) return true;
        hasSpoken = taken.has(newestState(await askConnections(qmp), port) ?? "");
        return hasSpoken;
      });
      return isKnown && hasSpoken;
    });
  } finally {
    socket.destroy();
  }
};

/** @returns the first port on which nothing inside answers */
export const silentPort = async (
  context: QemuContext,
  machine: ProcessIdentity,
  uuid: string,
  answerMs: number,
): Promise<PublishedPort | null> => {
  for (const port of publishedPorts(context.options))
    if (!(await answers(context, machine, uuid, port, answerMs))) return port;
  return null;
};
