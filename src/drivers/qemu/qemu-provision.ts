/**
 * Provision of a virtual machine: there is one of an entry, in a folder of its own, and a record says which run made it. One that has ended,
 * after a reboot or by itself, is started again and not made anew: whoever starts it again stops it, and only its maker removes it.
 */
import type { PreflightReport } from "../../core/ports/driver.ts";
import type { ProvisionDriver, ProvisionOwner } from "../../core/ports/provision.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { removeInstanceRecord, writeInstanceRecord } from "../../platform/instance-record.ts";
import { portOutputDescriptions, portOutputs, publishedPorts, refuseTakenPort } from "../../platform/published-port.ts";
import { removeTree } from "../../platform/tree-files.ts";
import { findMachine } from "./ask-machine.ts";
import { machineFile, machineFolder, makeMachineFolder } from "./machine-folder.ts";
import { bindMachine, layerWords, startWords } from "./machine-words.ts";
import { machineFindings } from "./preflight-machine.ts";
import { type QemuContext, type QemuOptions, machineName, memoryText, qemuSchema } from "./qemu-options.ts";
import { byHand, isNothingThere, knowMachine, ownerOf, seeMachine, startedName } from "./see-machine.ts";
import { startMachine } from "./start-machine.ts";
import { stopMachine } from "./stop-machine.ts";

const inspect: ProvisionDriver<QemuOptions>["inspect"] = async (context) => {
  const { sight } = await seeMachine(context);
  if (sight.presence === "absent")
    for (const { port } of publishedPorts(context.options))
      refuseTakenPort(context.component, port, "which is not its virtual machine");
  return sight;
};

const describePorts = ({ options }: QemuContext): string =>
  publishedPorts(options)
    .map(({ address, port, inside }) => `, ${address}:${port} to its port ${inside}`)
    .join("");

const preview: ProvisionDriver<QemuOptions>["preview"] = async (context) => {
  const { options } = context;
  const name = `virtual machine ${machineName(context)}`;
  const { hasFolder, made } = await knowMachine(context);
  if (hasFolder && made !== null)
    return { what: `starts ${name} again, which run ${made.run} made and which has ended`, detail: [] };
  const bound = await bindMachine(context);
  const from = [
    ...(bound.kernel === null ? [] : [`kernel ${bound.kernel}`]),
    ...(bound.base === null ? [] : [`a layer over ${bound.base.path}`]),
  ].join(" with ");
  const size = `${memoryText(options)} of memory, ${options.cpus ?? 1} CPU`;
  const out = options.network === "outbound" ? "with a way out" : "with no way out";
  return { what: `${name} from ${from}, ${size}, ${out}${describePorts(context)}`, detail: [] };
};

const apply: ProvisionDriver<QemuOptions>["apply"] = async (context, owner) => {
  const { component } = context;
  const name = `virtual machine ${machineName(context)}`;
  const bound = await bindMachine(context);
  const { hasFolder, record: found } = await knowMachine(context);
  const mark = (of: string, state: "begun" | "whole"): Promise<void> =>
    writeInstanceRecord(context, { name: of, ...owner }, state);
  const isNew = !hasFolder || found === null;
  const marked = isNew ? component : startedName(context);
  if (isNew) await removeInstanceRecord(context, startedName(context));
  await mark(marked, "begun");
  try {
    const record = isNew ? await makeMachineFolder(context, bound, owner) : found;
    const { accelerator, instead } = await startMachine(context, bound, record, isNew);
    await mark(marked, "whole");
    const by = instead === null ? `by ${accelerator}` : `by ${accelerator}, since ${instead}`;
    return { summary: `${name}${isNew ? "" : ", started again"}, ${by}` };
  } catch (error) {
    // The signal may be what ended the start; the clean-up must still run to its end. What was there before keeps what it holds.
    if (isNew) await destroy({ ...context, signal: new AbortController().signal }, owner);
    else await removeInstanceRecord(context, marked);
    throw error;
  }
};

const destroy = async (context: QemuContext, { runUid }: ProvisionOwner): Promise<void> => {
  const { component } = context;
  const known = await knowMachine(context);
  const { machine, record, made, started } = known;
  const isMaker = made?.runUid === runUid;
  if (!isNothingThere(known)) {
    const owner = ownerOf(known);
    if (owner?.runUid !== runUid) {
      const whose =
        owner === null
          ? "no run is known that made it"
          : `run ${owner.run} ${started === null ? "made" : "started"} it`;
      throw new RefloatError("instance.exists", `virtual machine ${machineName(context)} is not taken away: ${whose}`, {
        hint: byHand(context, machine),
      });
    }
    // A new one that never came up holds nothing that an orderly end would save.
    const isOrderly = !isMaker || made.state === "whole";
    if (machine !== null) await stopMachine(context, machine, record?.uuid ?? null, isOrderly);
    if (isMaker) await removeTree(machineFolder(context), context.signal);
  }
  if (started?.runUid === runUid) await removeInstanceRecord(context, startedName(context));
  if (isMaker) await removeInstanceRecord(context, component);
};

const preflight = async (context: QemuContext): Promise<PreflightReport> => {
  const { component } = context;
  const bound = await bindMachine(context);
  const commands = [
    ...(bound.base === null ? [] : [layerWords(bound.base)]),
    startWords(context, bound, "UUID", context.options.accelerator === "kvm" ? "kvm" : "tcg"),
  ].map((words) => words.map(shellWord).join(" "));
  const sight = await inspect(context);
  const found =
    sight.presence === "absent" ? `is not there: a recovery makes it, ${(await preview(context)).what}` : sight.found;
  return {
    findings: [
      { ok: sight.presence !== "partial", subject: `provision ${component}`, found },
      ...(await machineFindings(context, bound)),
    ],
    commands: [],
    recoveryCommands: commands,
    grants: [],
  };
};

export const qemuProvision: ProvisionDriver<QemuOptions> = {
  type: "qemu",
  summary: "A virtual machine that qemu runs on this machine, and that outlives Refloat.",
  options: qemuSchema,
  outputs: (options) => ({
    ...portOutputDescriptions(options),
    console: { description: "File of what it says on its serial console.", secret: false },
  }),
  preflight,
  preview,
  inspect,
  apply,
  read: async (context) => {
    if (findMachine(context) === null)
      throw new RefloatError("provision.absent", `virtual machine ${machineName(context)} has ended`, {
        context: { provision: context.component },
      });
    return {
      ...portOutputs(publishedPorts(context.options)),
      console: { value: machineFile(context, "console"), secret: false },
    };
  },
  destroy,
};
