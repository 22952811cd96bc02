/** Whatever serves on a port, such as an application that a recovery has started and that outlives it, ended as by a power failure. */
import { findPortOwners } from "../platform/port-owner.ts";
import { readProcess, signalProcess } from "../platform/process-table.ts";

/** It may have ended by itself since it was looked for. */
export const endListeners = (port: number): void => {
  for (const pid of findPortOwners(port).pids) {
    const owner = readProcess(pid);
    if (owner !== null) signalProcess(owner, "SIGKILL");
  }
};
