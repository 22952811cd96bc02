/**
 * Where process ids mean something: one start of one machine, and in it one name space of processes. Two machines, or two containers of
 * one, may have the same host name and give the same ids.
 */
import { createHash } from "node:crypto";
import { readlinkSync } from "node:fs";
import { readBootId } from "./boot-id.ts";

/** @returns 16 hex digits; undefined where the kernel does not tell */
export const readMachineIdentity = (): string | undefined => {
  try {
    const space = readlinkSync("/proc/self/ns/pid");
    return createHash("sha256").update(`${readBootId()} ${space}`).digest("hex").slice(0, 16);
  } catch {
    return undefined;
  }
};
