/** Ends a virtual machine: by its power button where what runs inside shall end well, else by its control socket, else by SIGKILL. */
import { RefloatError } from "../../model/refloat-error.ts";
import { findPortOwners } from "../../platform/port-owner.ts";
import { type ProcessIdentity, describeProcess, isAlive, signalProcess } from "../../platform/process-table.ts";
import { type PublishedPort, publishedPorts } from "../../platform/published-port.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { waitUntil } from "../../platform/wait-until.ts";
import { askStatus, talkToMachine } from "./ask-machine.ts";
import { type QemuContext, stopTimeoutMs } from "./qemu-options.ts";

/** A system that has just begun to start takes no notice of its button: it is pressed again. */
const pressAgainMs = 5_000;
/** Qemu ends at once when it is told to, unless the kernel itself waits for a disk. */
const endMs = 10_000;

const isHeldByNobody = ({ port }: PublishedPort): boolean => {
  const { open, pids } = findPortOwners(port);
  return open && pids.length === 0;
};

/** What does not answer cannot be told anything, and is ended by force. */
const tell = async (
  context: QemuContext,
  machine: ProcessIdentity,
  uuid: string,
  command: "system_powerdown" | "quit",
): Promise<boolean> => {
  try {
    return await talkToMachine(context, machine, uuid, async (qmp) => {
      if (command === "system_powerdown" && (await askStatus(qmp)) !== "running") return false;
      await qmp.ask(command);
      return true;
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return false;
  }
};

/**
 * @param uuid null where it is not known: then nothing is said to it
 * @param isOrderly lets it power down first, for as long as `stopTimeout` says
 * @throws RefloatError program.failed when it does not end
 */
export const stopMachine = async (
  context: QemuContext,
  machine: ProcessIdentity,
  uuid: string | null,
  isOrderly: boolean,
): Promise<void> => {
  // A thread on its way out holds the listening sockets a moment longer, with no owner to be seen.
  const isOver = (ms: number): Promise<boolean> =>
    waitUntil(context, ms, () => !isAlive(machine) && !publishedPorts(context.options).some(isHeldByNobody));
  if (uuid !== null && isOrderly) {
    const deadline = context.clock.monotonicMs() + stopTimeoutMs(context.options);
    for (;;) {
      const left = deadline - context.clock.monotonicMs();
      if (left <= 0 || !(await tell(context, machine, uuid, "system_powerdown"))) break;
      if (await isOver(Math.min(pressAgainMs, left))) return;
    }
  }
  if (!isAlive(machine)) return;
  if (uuid !== null && (await tell(context, machine, uuid, "quit"))) await isOver(endMs);
  if (!isAlive(machine)) return;
  try {
    signalProcess(machine, "SIGKILL");
  } catch (error) {
    throw new RefloatError(
      "program.failed",
      `the virtual machine of ${context.component}, process ${describeProcess(machine.pid)}, may not be ended: ${describeSystemError(error)}`,
      { cause: error, hint: "run Refloat as root or as the user that started it" },
    );
  }
  if ((await isOver(endMs)) || !isAlive(machine)) return;
  throw new RefloatError(
    "program.failed",
    `the virtual machine of ${context.component}, process ${describeProcess(machine.pid)}, does not end, not even by SIGKILL`,
  );
};
