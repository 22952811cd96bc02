/**
 * Starts a virtual machine so that it outlives Refloat, and waits until it is there. That the device of KVM can be opened does not prove that
 * machines run by it, so with `accelerator: auto` one that does not come up by KVM is started once more, by qemu's own processor (TCG).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, open } from "node:fs/promises";
import { stripVTControlCharacters } from "node:util";
import { showName } from "../../core/text/shown-name.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { scopeWords } from "../../platform/own-scope.ts";
import { type ProcessIdentity, isAlive, isRunning, readProcess } from "../../platform/process-table.ts";
import { publishedPorts } from "../../platform/published-port.ts";
import { lastLines } from "../../platform/shell-line.ts";
import { askStatus, findMachine, hasReadDisk, machineVariables, talkToMachine } from "./ask-machine.ts";
import { patience, silentPort } from "./guest-ports.ts";
import {
  type MachineRecord,
  machineFile,
  machineFolder,
  makeLayer,
  missingQemu,
  readTail,
  sizeOf,
} from "./machine-folder.ts";
import { type Accelerator, type BoundMachine, emulator, startWords } from "./machine-words.ts";
import { type QemuContext, machineName, startTimeoutMs } from "./qemu-options.ts";
import { stopMachine } from "./stop-machine.ts";

const lookAgainMs = 100;
/** What listens on no port, reads no disk and says nothing has come up by KVM when it still runs after that. */
const provenMs = 3_000;
/**
 * What runs answers, or has at least said something on its console, sooner than that. Where KVM is there and does not work its processor may go round
 * for ever, with the disk read by its firmware and nothing more.
 */
const silentMs = 30_000;
const linesShown = 8;

export const kvmDevice = "/dev/kvm";

export const isKvmOpen = (): Promise<boolean> =>
  access(kvmDevice, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );

/** What is tried, in this order. */
const acceleratorsFor = async ({ options: { accelerator = "auto" } }: QemuContext): Promise<readonly Accelerator[]> => {
  if (accelerator !== "auto") return [accelerator];
  return (await isKvmOpen()) ? ["kvm", "tcg"] : ["tcg"];
};

/** What the machine did before it was there. `byItself`: another accelerator may do better. */
type Outcome = { readonly there: true } | { readonly there: false; readonly what: string; readonly byItself: boolean };

/** Spawns it in a session of its own, marked before it runs. @returns null when it has ended already */
const spawnMachine = async (context: QemuContext, words: readonly string[]): Promise<ProcessIdentity | null> => {
  const scope = scopeWords(`virtual machine ${machineName(context)}, started by Refloat`);
  const [program = emulator, ...rest] = [...scope, ...words];
  const log = await open(machineFile(context, "log"), "a", 0o600);
  try {
    context.signal.throwIfAborted();
    const child = spawn(program, rest, {
      cwd: machineFolder(context),
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      env: { ...baseEnvironment(), ...machineVariables(context), REFLOAT_STEP: context.marker },
    });
    try {
      await once(child, "spawn");
    } catch (error) {
      throw missingQemu(program, "qemu-system-x86", error);
    }
    // It must not keep this process alive, nor end with it.
    child.unref();
    const row = child.pid === undefined ? null : readProcess(child.pid);
    return isRunning(row) ? { pid: row.pid, startTicks: row.startTicks } : null;
  } finally {
    await log.close();
  }
};

const waitUntilThere = async (
  context: QemuContext,
  { uuid }: MachineRecord,
  machine: ProcessIdentity | null,
  accelerator: Accelerator,
  console: number,
): Promise<Outcome> => {
  const { clock, signal, options } = context;
  const began = clock.monotonicMs();
  const timeoutMs = startTimeoutMs(options);
  const hasPorts = publishedPorts(options).length > 0;
  let seen = "did not answer on its control socket (QMP)";
  for (;;) {
    if (machine === null || !isAlive(machine))
      return { there: false, what: "ended before it was there", byItself: true };
    try {
      const { status, hasRun } = await talkToMachine(context, machine, uuid, async (qmp) => ({
        status: await askStatus(qmp),
        hasRun: accelerator === "tcg" || (await hasReadDisk(qmp)),
      }));
      const lastedMs = clock.monotonicMs() - began;
      if (status !== "running") {
        seen = `is in state ${status}`;
        if (status !== "prelaunch" && status !== "paused")
          return { there: false, what: seen, byItself: status === "internal-error" };
      } else if (hasPorts) {
        const silent = await silentPort(context, machine, uuid, patience.startingMs);
        if (silent === null) return { there: true };
        seen = `did not answer on port ${silent.inside}`;
        if (accelerator === "kvm" && lastedMs > silentMs && (await sizeOf(context, "console")) <= console)
          return { there: false, what: `${seen} and said nothing in ${silentMs / 1_000} s`, byItself: true };
      } else if (hasRun || lastedMs > provenMs) return { there: true };
    } catch (error) {
      signal.throwIfAborted();
      // Its socket is not there yet, or it is just ending.
      if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
    }
    if (clock.monotonicMs() - began > timeoutMs)
      return { there: false, what: `${seen} within ${timeoutMs / 1_000} s`, byItself: false };
    await clock.sleep(lookAgainMs, signal);
  }
};

/**
 * Starts it and waits until it is there. What did not come up has ended when this throws.
 * @param isNew its disk may begin anew
 * @returns by what it runs, and why not by KVM
 * @throws RefloatError program.failed with its last words
 */
export const startMachine = async (
  context: QemuContext,
  bound: BoundMachine,
  record: MachineRecord,
  isNew: boolean,
): Promise<{ readonly accelerator: Accelerator; readonly instead: string | null }> => {
  const [first = "tcg", second] = await acceleratorsFor(context);
  const failure = await tryToStart(context, bound, record, first, isNew);
  if (failure === null) return { accelerator: first, instead: null };
  if (second === undefined || !failure.byItself) throw failure.error;
  if (isNew && bound.base !== null) await makeLayer(context, bound.base);
  context.log.warn("KVM does not run the machine", { component: context.component, why: failure.error.message });
  const again = await tryToStart(context, bound, record, second, isNew);
  if (again !== null) throw again.error;
  return { accelerator: second, instead: `by KVM it ${failure.what}` };
};

const tryToStart = async (
  context: QemuContext,
  bound: BoundMachine,
  record: MachineRecord,
  accelerator: Accelerator,
  isNew: boolean,
): Promise<{ readonly error: RefloatError; readonly what: string; readonly byItself: boolean } | null> => {
  const offsets = { console: await sizeOf(context, "console"), log: await sizeOf(context, "log") };
  try {
    const machine = await spawnMachine(context, startWords(context, bound, record.uuid, accelerator));
    const outcome = await waitUntilThere(context, record, machine, accelerator, offsets.console);
    if (outcome.there) return null;
    const error = await startFailure(context, outcome.what, offsets);
    await endStarted(context, record, isNew);
    return { error, what: outcome.what, byItself: outcome.byItself };
  } catch (error) {
    await endStarted(context, record, isNew);
    throw error;
  }
};

/** Its disk is thrown away when it is new, and needs no orderly end. */
const endStarted = async (context: QemuContext, { uuid }: MachineRecord, isNew: boolean): Promise<void> => {
  // The signal may be what ended the start; the clean-up must still run to its end.
  const cleanUp: QemuContext = { ...context, signal: new AbortController().signal };
  const machine = findMachine(cleanUp);
  if (machine !== null) await stopMachine(cleanUp, machine, uuid, !isNew);
};

/** What runs inside may say anything: nothing of it acts on a terminal. */
const asShown = (line: string): string => showName(Buffer.from(stripVTControlCharacters(line).trimEnd()));

const startFailure = async (
  context: QemuContext,
  what: string,
  since: { readonly console: number; readonly log: number },
): Promise<RefloatError> => {
  const words = [await readTail(context, "log", since.log), await readTail(context, "console", since.console)];
  const said = words
    .map((text) => lastLines(text, linesShown).split("\n").map(asShown).join("\n").trim())
    .filter((text) => text !== "")
    .join("\n");
  return new RefloatError(
    "program.failed",
    `virtual machine ${machineName(context)} ${what}${said === "" ? "" : `: ${said}`}`,
    {
      context: { component: context.component },
      hint: "look at its disk, kernel, memory and ports; it was ended again",
    },
  );
};
