/**
 * Drivers that only have words: schemas and outputs as the real ones have them, no acts. For tests of the declaration, which asks
 * nothing else of a driver; the real registry is tested where it is composed.
 */
import { z } from "zod";
import { expectSchema } from "../../model/declaration.ts";
import type { CheckDriver, ComponentDriver, DriverRegistry, OutputDescription, SetDriver } from "../ports/driver.ts";
import type { ProvisionDriver } from "../ports/provision.ts";
import type { TrafficDriver } from "../ports/traffic.ts";

const never = (): never => {
  throw new Error("a driver of words acts on nothing");
};

const output = (description: string, secret = false): OutputDescription => ({ description, secret });

const component = (
  type: string,
  options: z.ZodType,
  outputs: Readonly<Record<string, OutputDescription>>,
  hasValues: boolean,
): ComponentDriver => ({
  type,
  summary: `A ${type}.`,
  options,
  outputs,
  stableOutputs: never,
  preflight: never,
  capture: never,
  instances: {
    name: never,
    retiredName: never,
    footprint: never,
    inspect: never,
    restore: never,
    outputs: never,
    validate: never,
    drop: never,
  },
  switching: { observe: never, exchange: never, discard: never },
  ...(hasValues ? { invariantValues: never } : {}),
  ...(type === "postgres" ? { commitLock: { hold: never, examine: never } } : {}),
});

const components = [
  component(
    "postgres",
    z.strictObject({
      url: z.string().meta({ description: "Where the database is: postgres://user@host:port/name." }),
      password: z.string().optional(),
      jobs: z.int().min(1).max(16).default(2).meta({ description: "Connections that read at the same time." }),
    }),
    {
      url: output("Connection string, password included.", true),
      address: output("host:port"),
      database: output("Name of the database."),
    },
    true,
  ),
  component(
    "files",
    z.strictObject({
      path: z.string().meta({ description: "The folder." }),
      exclude: z.array(z.string()).default([]),
      reload: z.string().optional().meta({ description: "Run after the files were switched." }),
    }),
    { path: output("The folder.") },
    true,
  ),
  component(
    "redis",
    z.strictObject({ url: z.string().meta({ description: "Where the server is: redis://user@host:port." }) }),
    { url: output("redis://user:password@host:port", true), address: output("host:port") },
    false,
  ),
  component(
    "process",
    z.strictObject({
      release: z.string().meta({ description: "Folder of the release." }),
      start: z.string().meta({ description: "Command that starts it." }),
      stop: z.string().optional(),
      migrate: z.string().optional(),
      ports: z
        .string()
        .regex(/^\d+(-\d+)?$/, "ports are one number or a range, such as 8081-8082")
        .optional(),
      user: z.string().optional(),
      environment: z.record(z.string(), z.string()).default({}),
    }),
    { url: output("http://host:port"), address: output("host:port"), port: output("The port.") },
    false,
  ),
];

const check = (kind: string, options: z.ZodType): CheckDriver => ({
  kind,
  summary: `A ${kind} check.`,
  options,
  run: never,
});

const checks = [
  check(
    "http",
    z.strictObject({ http: z.string().meta({ description: "The URL." }), expect: expectSchema.optional() }),
  ),
  check("tcp", z.strictObject({ tcp: z.string() })),
  check("sql", z.strictObject({ sql: z.string() })),
  check("command", z.strictObject({ command: z.string() })),
];

const traffic = (kind: string, options: z.ZodType): TrafficDriver => ({
  kind,
  summary: `Cutover by ${kind}.`,
  options,
  preflight: never,
  observe: never,
  hold: never,
  admit: never,
});

const cutovers = [
  traffic("haproxy", z.strictObject({ haproxy: z.string(), socket: z.string(), to: z.string() })),
  traffic("nginx", z.strictObject({ nginx: z.string(), upstream: z.string(), to: z.string() })),
  traffic(
    "dns",
    z.strictObject({ dns: z.string(), server: z.string(), key: z.string(), ttl: z.string(), to: z.string() }),
  ),
  traffic("command", z.strictObject({ command: z.string() })),
];

const set = (kind: string, options: z.ZodType): SetDriver => ({
  kind,
  summary: `A ${kind} set.`,
  options,
  values: never,
});

const sets = [
  set(
    "http",
    z.strictObject({
      http: z.string(),
      values: z.string().optional(),
      next: z.string().optional(),
      headers: z.record(z.string(), z.string()).optional(),
    }),
  ),
  set("command", z.strictObject({ command: z.array(z.string()) })),
  set("shell", z.strictObject({ shell: z.string() })),
];

const provision = (
  type: string,
  options: z.ZodType,
  outputs: Readonly<Record<string, OutputDescription>>,
): ProvisionDriver => ({
  type,
  summary: `Provision by ${type}.`,
  options,
  outputs: () => outputs,
  preflight: never,
  preview: never,
  inspect: never,
  apply: never,
  read: never,
  destroy: never,
});

const provisions = [
  provision(
    "command",
    z.strictObject({
      apply: z.string().meta({ description: "Line that makes it." }),
      inspect: z.string(),
      destroy: z.string(),
    }),
    { address: output("Where it answers."), token: output("What opens it.", true) },
  ),
  provision(
    "process",
    z.strictObject({ start: z.string(), port: z.int(), environment: z.record(z.string(), z.string()).default({}) }),
    { address: output("host:port"), port: output("The port.") },
  ),
  provision(
    "terraform",
    z.strictObject({ directory: z.string(), variables: z.record(z.string(), z.string()).default({}) }),
    {},
  ),
];

export const wordRegistry: DriverRegistry = {
  components: new Map(components.map((driver) => [driver.type, driver])),
  checks: new Map(checks.map((driver) => [driver.kind, driver])),
  sets: new Map(sets.map((driver) => [driver.kind, driver])),
  traffic: new Map(cutovers.map((driver) => [driver.kind, driver])),
  provisions: new Map(provisions.map((driver) => [driver.type, driver])),
};
