/** Which start of this machine it is: what was written but not yet on the disk is gone after the next one. */
import { readFileSync } from "node:fs";

export const readBootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
