/** What is there of the virtual machine of an entry, and whose it is. */
import type { ProvisionOwner, ProvisionSight } from "../../core/ports/provision.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readInstanceRecord } from "../../platform/instance-record.ts";
import type { ProcessIdentity } from "../../platform/process-table.ts";
import { askAccelerator, askStatus, findMachine, talkToMachine } from "./ask-machine.ts";
import { patience, silentPort } from "./guest-ports.ts";
import {
  type MachineRecord,
  isBaseUnchanged,
  isFolderThere,
  machineFolder,
  readMachineRecord,
} from "./machine-folder.ts";
import { bindMachine } from "./machine-words.ts";
import { type QemuContext, machineName } from "./qemu-options.ts";

/** Name of the record that tells who started a machine again that another run had made. */
export const startedName = ({ component }: QemuContext): string => `${component}/started`;

export type KnownMachine = {
  readonly machine: ProcessIdentity | null;
  readonly hasFolder: boolean;
  readonly record: MachineRecord | null;
  readonly made: Awaited<ReturnType<typeof readInstanceRecord>>;
  readonly started: Awaited<ReturnType<typeof readInstanceRecord>>;
};

export const knowMachine = async (context: QemuContext): Promise<KnownMachine> => ({
  machine: findMachine(context),
  hasFolder: await isFolderThere(context),
  record: await readMachineRecord(context),
  made: await readInstanceRecord(context, context.component),
  started: await readInstanceRecord(context, startedName(context)),
});

export const isNothingThere = ({ machine, hasFolder }: KnownMachine): boolean => machine === null && !hasFolder;

/** Of what is there; null when Refloat has no record of having made it. */
export const ownerOf = ({ made, started }: KnownMachine): ProvisionOwner | null => {
  const owner = started ?? made;
  return owner === null ? null : { run: owner.run, runUid: owner.runUid };
};

/** How a person takes away what no run does. */
export const byHand = (context: QemuContext, machine: ProcessIdentity | null): string =>
  `if nobody needs it: ${machine === null ? "" : `kill ${machine.pid}; `}rm -r ${machineFolder(context)}`;

/** `partial` with what it lacks, `done`, or `absent` for what is not there or not running. */
export const seeMachine = async (
  context: QemuContext,
): Promise<{ readonly known: KnownMachine; readonly sight: ProvisionSight }> => {
  const known = await knowMachine(context);
  const { machine, record, made, started } = known;
  if (isNothingThere(known)) return { known, sight: { presence: "absent" } };
  const name = `virtual machine ${machineName(context)}`;
  const owner = ownerOf(known);
  const partial = (what: string) =>
    ({ known, sight: { presence: "partial", owner, found: `${name} ${what}` } }) as const;
  const hint = byHand(context, machine);
  if (made === null) return partial(`is there, and no run is known that made it; ${hint}`);
  if (made.state === "begun" || record === null) return partial("was never made whole");
  const bound = await bindMachine(context);
  if (record.declared !== bound.declared) return partial(`was made by another declaration; ${hint}`);
  if (!(await isBaseUnchanged(record, bound)))
    return partial(`lies over ${bound.base?.path ?? "a disk"}, which has changed since or is gone; ${hint}`);
  if (started?.state === "begun") return partial("was started again, and its start has not come to its end");
  if (machine === null) return { known, sight: { presence: "absent" } };
  try {
    const { status, accelerator } = await talkToMachine(context, machine, record.uuid, async (qmp) => ({
      status: await askStatus(qmp),
      accelerator: await askAccelerator(qmp),
    }));
    if (status !== "running") return partial(`is in state ${status}; ${hint}`);
    const silent = await silentPort(context, machine, record.uuid, patience.runningMs);
    if (silent !== null) return partial(`does not answer on port ${silent.inside}`);
    const found = `${name} (process ${machine.pid}, by ${accelerator})`;
    return { known, sight: { presence: "done", owner, found } };
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RefloatError && error.code === "program.failed") return partial(`is there: ${error.message}`);
    throw error;
  }
};
