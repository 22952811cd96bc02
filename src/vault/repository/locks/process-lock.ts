/** The lock of this process: it names the user, the machine and the process that others find at work. */
import { currentOwner } from "../current-owner.ts";
import { RepositoryLock, type RepositoryLockOptions } from "./repository-lock.ts";

export const lockOfThisProcess = (parts: Omit<RepositoryLockOptions, "owner">): RepositoryLock => {
  const { hostname, username } = currentOwner();
  return new RepositoryLock({ ...parts, owner: { hostname, username, pid: process.pid } });
};
