/**
 * Ends what the attempts of a killed process have left running: dump and restore programs, check commands. They are known by the
 * marker that every child is started with. Applications that were started to outlive us are left to their own step.
 */
import { listProcesses, readEnvironment, signalProcess } from "./process-table.ts";

/** @param markers beginnings of markers: `refloat/42.8984525a/restore:db/` @returns how many were ended */
export const endOrphans = (markers: readonly string[]): number =>
  listProcesses().filter((row) => {
    if (row.pid === process.pid) return false;
    const environment = readEnvironment(row.pid);
    const marker = environment?.get("REFLOAT_STEP");
    if (marker === undefined || environment?.has("REFLOAT_INSTANCE") === true) return false;
    return markers.some((beginning) => marker.startsWith(beginning)) && signalProcess(row, "SIGKILL");
  }).length;
