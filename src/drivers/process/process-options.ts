/** The keys of a `process` component. */
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { durationTextSchema, environmentSchema } from "../../model/declaration.ts";
import { bindStablePath, stablePathPattern } from "../../platform/path-operations.ts";
import { portRangeSchema, portsIn } from "../../platform/port-range.ts";

export const processOptionsSchema = z
  .strictObject({
    release: z
      .string()
      .regex(stablePathPattern, "release is an absolute path, such as /srv/shop/current")
      .meta({ description: "Folder of the application, or a link to it: /srv/shop/current. Commands run in it." }),
    start: z.string().min(1).meta({
      description: "Line for /bin/sh that starts the application. It stays in the foreground or leaves a daemon.",
    }),
    stop: z.string().min(1).optional().meta({
      description:
        "Line that stops an application that Refloat did not start, such as systemctl stop shop. SIGTERM, then SIGKILL, when left out.",
    }),
    migrate: z.string().min(1).optional().meta({
      description:
        "Line that brings restored data up to what this release needs. It runs on the restored instances only and must be repeatable.",
    }),
    ports: portRangeSchema.meta({
      description: "Ports that the application may listen on: one is live, the others are free for the next release.",
    }),
    environment: environmentSchema
      .optional()
      .meta({ description: "Variables for start, stop and migrate. The place for references, secret ones too." }),
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]*\$?$/i, "user is the name of a user of this machine")
      .optional()
      .meta({ description: "User that the application runs as; the one that runs Refloat when left out." }),
    packages: z.enum(["recorded", "captured"]).optional().meta({
      description:
        "What a point has of the packages that its programs use: their names and versions (recorded, when left out), or also their archives (captured), from which type: packages of provision: installs them.",
    }),
    startTimeout: durationTextSchema.optional().meta({ description: "How long until its port listens: 60s." }),
    stopTimeout: durationTextSchema
      .optional()
      .meta({ description: "How long it may take to stop before SIGKILL: 10s." }),
  })
  .meta({ description: "An application that runs: its release, how it is started, where it listens." });
export type ProcessOptions = z.infer<typeof processOptionsSchema>;

export type ProcessContext = DriverContext<ProcessOptions>;

/** The stable path of the release: a folder or a link. */
export const releasePathOf = (context: ProcessContext): Promise<string> =>
  bindStablePath(context.bind, context.options.release, `release of ${context.component}`);

export const portsOf = ({ ports }: ProcessOptions): readonly number[] => portsIn(ports);

export const startTimeoutMs = ({ startTimeout }: ProcessOptions): number =>
  parseDuration(startTimeout ?? "60s") ?? 60_000;
export const stopTimeoutMs = ({ stopTimeout }: ProcessOptions): number => parseDuration(stopTimeout ?? "10s") ?? 10_000;
