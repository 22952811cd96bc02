/**
 * The `process` driver: the application itself. Its release is captured and switched like any tree; here it is also found, started,
 * tried, migrated and stopped. Unsupported: a process without a TCP port, and one that runs on another machine.
 *
 * A started process has a session of its own and, under systemd and as root, a scope: the end of a service that Refloat itself runs in
 * does not take it along. For another user such a service needs KillMode=process.
 */
import type { ComponentDriver, DriverBundle, Outputs } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import { createPathInstances, createPathSwitching } from "../../platform/path-operations.ts";
import { isAlive } from "../../platform/process-table.ts";
import { captureProcess } from "./capture-process.ts";
import { findProcess } from "./find-process.ts";
import { findFreePort, findLiveProcess } from "./live-process.ts";
import { findLiveRelease } from "./live-release.ts";
import { migrateRelease } from "./migrate-release.ts";
import { preflightProcess } from "./preflight-process.ts";
import { compareProcessFingerprint } from "./process-fingerprint.ts";
import { processProvision } from "./process-provision.ts";
import { type ProcessOptions, portsOf, processOptionsSchema, releasePathOf } from "./process-options.ts";
import { listRecords } from "./process-records.ts";
import { sandboxProvision } from "./sandbox-provision.ts";
import { startProcess } from "./start-process.ts";
import { stopProcess } from "./stop-process.ts";

const shown = (value: string) => ({ value, secret: false });

const outputsAt = (path: string, port: number | null | undefined): Outputs =>
  port === null || port === undefined
    ? { path: shown(path) }
    : {
        path: shown(path),
        port: shown(String(port)),
        address: shown(`127.0.0.1:${port}`),
        url: shown(`http://127.0.0.1:${port}`),
      };

const processDriver: ComponentDriver<ProcessOptions> = {
  type: "process",
  summary: "An application that runs: its release, how it is started, where it listens.",
  options: processOptionsSchema,
  outputs: {
    url: { description: "http://127.0.0.1:PORT of the process that serves.", secret: false },
    address: { description: "127.0.0.1:PORT of the process that serves.", secret: false },
    port: {
      description: "Port of the process that serves; in its own environment, the port to listen on.",
      secret: false,
    },
    path: { description: "Folder of the release, or the link to it.", secret: false },
  },
  /** Where nothing serves, the first declared port is where it would. */
  stableOutputs: async (context) => {
    const live = await findLiveProcess(context);
    return outputsAt(await releasePathOf(context), live?.port ?? portsOf(context.options)[0]);
  },
  preflight: preflightProcess,
  capture: captureProcess,
  capturesFrozen: true,
  /** A port only while the instance runs: before that nobody knows on which one it will. */
  instances: createPathInstances(releasePathOf, async (context, _target, path) => {
    const records = (await listRecords(context)).filter(({ release }) => release === path);
    for (const record of records) if (isAlive(record.process)) return outputsAt(path, record.port);
    return outputsAt(path, null);
  }),
  switching: createPathSwitching(releasePathOf),
  runtime: {
    live: findLiveProcess,
    freePort: findFreePort,
    liveRelease: findLiveRelease,
    start: startProcess,
    migrate: migrateRelease,
    find: findProcess,
    alive: async (_context, { pid, startTicks }) => pid !== null && startTicks !== null && isAlive({ pid, startTicks }),
    stop: stopProcess,
  },
  compareFingerprint: compareProcessFingerprint,
};

export const processBundle: DriverBundle = {
  name: "process",
  components: [processDriver as ComponentDriver],
  checks: [],
  traffic: [],
  provisions: [processProvision as ProvisionDriver, sandboxProvision as ProvisionDriver],
};
