/**
 * Names of half-written files: they say who writes, so that what a killed process left can be told from what a living one needs.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { isProcessAlive } from "../locks/process-alive.ts";

const pattern = /^refloat-(?<host>[0-9a-f]{8})-(?<boot>[0-9a-f]{8})-(?<pid>\d+)-[0-9a-f]+\.tmp$/;

/** Two machines may have one name. Where there is no such file, the name is all there is. */
const machineId = (): string => {
  try {
    return readFileSync("/etc/machine-id", "utf8");
  } catch {
    return "";
  }
};

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);

/** Changes with each start of the machine; a constant where the system does not tell. */
const bootDigest = (): string => {
  try {
    return digest(readFileSync("/proc/sys/kernel/random/boot_id", "utf8"));
  } catch {
    return digest("unknown");
  }
};

const machineDigest = (host: string): string => digest(`${host}\n${machineId()}`);

export const temporaryName = (host: string, pid: number, unique: string): string =>
  `refloat-${machineDigest(host)}-${bootDigest()}-${pid}-${unique}.tmp`;

/** Is it ours, of this machine, and is its writer gone? Files of other machines are left to their own sweep. */
export const isStaleTemporary = (name: string): boolean => {
  const found = pattern.exec(name)?.groups;
  if (found?.host !== machineDigest(hostname())) return false;
  return found.boot !== bootDigest() || !isProcessAlive(Number(found.pid));
};
