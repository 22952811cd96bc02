/**
 * Stands in for cron and its line `refloat capture SERVICE`, since Refloat runs nothing by itself in this version: asks Refloat for the
 * declared schedule and the last point, runs the command when the next point is due, and shows it with its screen.
 */
import { z } from "zod";
import type { DemoFolder } from "./demo-folder.ts";
import { RefloatCommand } from "./refloat-command.ts";
import { keepSchedule } from "./schedule-keeper.ts";
import { type Screen, timeOfDay } from "./screen.ts";

export type ScheduledPoint = { readonly id: string; readonly consistentAt: Date; readonly schedule: string };

export type CronParts = { readonly folder: DemoFolder; readonly screen: Screen; readonly signal: AbortSignal };

const pointSchema = z.object({ id: z.string(), manifest: z.object({ consistentAt: z.iso.datetime() }) });
const statusSchema = z.object({
  services: z.array(
    z.object({
      service: z.object({ name: z.string(), schedule: z.string().optional() }),
      lastPoint: pointSchema.nullable(),
    }),
  ),
});

/**
 * Keeps the schedule of the service as long as `work` goes on, which begins once the first scheduled capture has ended well. When `work`
 * is done, or the signal comes, a capture that runs is told to stop and waited for.
 * @throws when the first capture fails; later ones that fail are only shown
 */
export const withCron = async <T>(
  { folder, screen, signal }: CronParts,
  name: string,
  work: (point: ScheduledPoint) => Promise<T>,
): Promise<T> => {
  const end = new AbortController();
  const until = AbortSignal.any([signal, end.signal]);
  const refloat = new RefloatCommand(folder, screen, until);
  const { schedule, lastPoint } = await look(refloat, name);
  screen.event(
    `${name} declares "schedule: ${schedule}"; Refloat runs nothing by itself, so this script stands in for cron`,
  );
  const first = Promise.withResolvers<ScheduledPoint>();
  const whenDue = async (next: Date): Promise<void> => {
    screen.event(`cron: a point of ${name} is due`);
    try {
      await refloat.show(["capture", name]);
      const taken = (await look(refloat, name)).lastPoint;
      if (taken === null) throw new Error(`refloat capture ${name} ended well and there is no point`);
      first.resolve({ id: taken.id, consistentAt: new Date(taken.manifest.consistentAt), schedule });
    } catch (error) {
      first.reject(error);
      if (until.aborted) return;
      screen.event(`cron: ${error instanceof Error ? error.message : String(error)}`);
    }
    screen.event(`cron: the next point is due at ${timeOfDay(next)}`);
  };
  const kept = keepSchedule({
    schedule,
    lastAt: lastPoint?.manifest.consistentAt ?? null,
    whenDue,
    signal: until,
  });
  try {
    return await work(await Promise.race([first.promise, kept.then(() => ended(until))]));
  } finally {
    end.abort();
    await kept;
  }
};

const ended = (signal: AbortSignal): never => {
  signal.throwIfAborted();
  throw new Error("cron ended by itself");
};

/** What Refloat itself has read from the declaration and the vault. */
const look = async (refloat: RefloatCommand, name: string) => {
  const { services } = await refloat.ask(["status"], statusSchema);
  const found = services.find(({ service }) => service.name === name);
  if (found === undefined) throw new Error(`refloat status names no service ${name}`);
  const { schedule } = found.service;
  if (schedule === undefined) throw new Error(`refloat.yaml declares no schedule for ${name}`);
  return { schedule, lastPoint: found.lastPoint };
};
