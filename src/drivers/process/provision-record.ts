/** Whose a provisioned process is: what an entry of `provision:` remembers beside the record of the process itself. */
import type { DriverContext, RunningProcess } from "../../core/ports/driver.ts";
import type { ProvisionOwner } from "../../core/ports/provision.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readInstanceRecord, removeInstanceRecord } from "../../platform/instance-record.ts";
import { findProcess } from "./find-process.ts";
import { type ProcessContext, portsOf } from "./process-options.ts";
import { stopProcess } from "./stop-process.ts";

/** Of one entry there is one process. */
export const processName = "provision";

export const recordedOwner = async (context: DriverContext): Promise<ProvisionOwner | null> => {
  const record = await readInstanceRecord(context, context.component);
  return record === null ? null : { run: record.run, runUid: record.runUid };
};

/** Contract of ProvisionDriver.destroy for what is one process with its children. */
export const stopOwned = async (context: ProcessContext, { runUid }: ProvisionOwner): Promise<void> => {
  const { component } = context;
  const running: RunningProcess | null = await findProcess(context, processName);
  const owner = await recordedOwner(context);
  if (running !== null) {
    if (owner?.runUid !== runUid) {
      const whose = owner === null ? "no run is known that started it" : `run ${owner.run} started it`;
      throw new RefloatError("instance.exists", `${component} is not stopped: ${whose}`, {
        hint: `stop process ${running.pid ?? ""} by hand, if nobody needs it`,
      });
    }
    // A port inside a sandbox is none of this machine's, where somebody else may listen on the same number.
    const isOfMachine = running.port !== null && portsOf(context.options).includes(running.port);
    await stopProcess(context, isOfMachine ? running : { ...running, port: null });
  }
  if (owner?.runUid === runUid) await removeInstanceRecord(context, component);
};
