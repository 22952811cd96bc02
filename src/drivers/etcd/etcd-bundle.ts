import { z } from "zod";
import type { ComponentDriver, DriverBundle } from "../../core/ports/driver.ts";
import { captureEtcd } from "./capture.ts";
import { etcdCapturedKeys } from "./captured-keys.ts";
import { type EtcdOptions, etcdOptionsSchema } from "./etcd-options.ts";
import { resolveTarget, stableOutputs } from "./etcd-target.ts";
import { withEtcd } from "./gateway.ts";
import { etcdInstances } from "./instances.ts";
import { etcdKeyMending } from "./mend/key-mending.ts";
import { preflightEtcd } from "./preflight.ts";
import { etcdSwitching } from "./switching.ts";
import { etcdWrites } from "./writes.ts";

const etcdDriver: ComponentDriver<EtcdOptions> = {
  type: "etcd",
  summary: "An etcd cluster, captured by the snapshot of one member, switched by the path of the data folder.",
  options: etcdOptionsSchema,
  outputs: {
    url: { description: "http://host:port, of clients.", secret: false },
    address: { description: "host:port.", secret: false },
    host: { description: "Host name or address.", secret: false },
    port: { description: "Port of clients.", secret: false },
    data: { description: "Absolute path of the data folder.", secret: false },
  },
  stableOutputs,
  preflight: preflightEtcd,
  reach: async (context) =>
    withEtcd({ target: await resolveTarget(context), signal: context.signal }, async (gateway) => {
      await gateway.ask("maintenance/status", {}, z.unknown());
    }),
  capture: captureEtcd,
  instances: etcdInstances,
  switching: etcdSwitching,
  writes: etcdWrites,
  keys: etcdCapturedKeys,
  mending: etcdKeyMending,
};

/** The `etcd` driver. */
export const etcdBundle: DriverBundle = {
  name: "etcd",
  components: [etcdDriver as ComponentDriver],
  checks: [],
  traffic: [],
};
