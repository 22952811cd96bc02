/**
 * Leases of services on this machine: one process at a time executes a run of a service. The lock decides; the file beside it
 * only tells who holds it.
 *
 * A second machine is not kept out by this: there, the identities that a cutover compares before it acts are what protects.
 */
import { readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { Leases } from "../core/ports/engine.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { acquireProcessLock } from "./process-lock.ts";

const holderSchema = z.object({ pid: z.int(), host: z.string(), what: z.string() });

/** To see whether a lease is free one takes it for an instant; who wants it in that instant waits this long. */
const lookMs = 250;

/** @param folder private to the user; holds `SERVICE.lock` and `SERVICE.holder` */
export const createLeases = (folder: string): Leases => {
  const lockPath = (service: string): string => join(folder, `${service}.lock`);
  const holderPath = (service: string): string => join(folder, `${service}.holder`);

  const readHolder = async (service: string): Promise<string> => {
    try {
      const holder = holderSchema.parse(JSON.parse(await readFile(holderPath(service), "utf8")));
      return `${holder.what}, process ${holder.pid} on ${holder.host}`;
    } catch {
      // Between the lock and the file, or left half by a full disk: the lock alone counts.
      return "another process on this machine";
    }
  };

  const lock = (service: string, waitMs: number) => {
    try {
      return acquireProcessLock(lockPath(service), waitMs);
    } catch (error) {
      throw new RefloatError("journal.failed", `the lease of ${service} cannot be taken: ${lockPath(service)}`, {
        cause: error,
        hint: "the state folder must be writable, on a local disk with room left",
      });
    }
  };

  return {
    acquire: async (service, holder) => {
      const taken = lock(service, lookMs);
      if (taken === null) {
        throw new RefloatError("run.in-progress", `${service} is being worked on by ${await readHolder(service)}`, {
          hint: "follow it, or stop it where it runs",
          nextCommand: "refloat runs",
          context: { service },
        });
      }
      try {
        const text = JSON.stringify({ pid: process.pid, host: hostname(), what: holder });
        await writeFileAtomically(holderPath(service), text);
      } catch (error) {
        taken.release();
        throw new RefloatError("journal.failed", `the lease of ${service} cannot be written: ${holderPath(service)}`, {
          cause: error,
        });
      }
      return {
        release: async () => {
          await rm(holderPath(service), { force: true });
          taken.release();
        },
      };
    },
    holder: async (service) => {
      const taken = lock(service, 0);
      if (taken === null) return readHolder(service);
      taken.release();
      return null;
    },
  };
};
