/** The lock of this process: it names the user, the machine and the process that others find at work. */
import { readMachineIdentity } from "../../../platform/machine-identity.ts";
import { readProcess } from "../../../platform/process-table.ts";
import { currentOwner } from "../current-owner.ts";
import { RepositoryLock, type RepositoryLockOptions } from "./repository-lock.ts";

export const lockOfThisProcess = (parts: Omit<RepositoryLockOptions, "owner">): RepositoryLock => {
  const { hostname, username } = currentOwner();
  const { pid } = process;
  const owner = { hostname, username, pid, machine: readMachineIdentity(), startTicks: readProcess(pid)?.startTicks };
  return new RepositoryLock({ ...parts, owner });
};
