/**
 * Throw-away servers of DNS for tests, on free loopback ports and in temporary folders: a primary that takes updates by TSIG, and
 * a resolver that remembers what it told. Not a model of how to run BIND for real.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Resolver } from "node:dns/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "../platform/subprocess.ts";
import { findFreePort } from "./free-port.ts";

export type BindServer = {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** Ends the process and removes the folder. Idempotent. */
  readonly stop: () => Promise<void>;
};

export type BindPrimary = BindServer & {
  /** Text of the file of a key that may change the zone. */
  readonly key: string;
  /** Text of the file of a key that the server knows, and that may change nothing. */
  readonly powerlessKey: string;
};

const startTimeoutMs = 60_000;

const commonOptions = (directory: string, port: number): readonly string[] => [
  `  directory "${directory}";`,
  `  pid-file "${join(directory, "named.pid")}";`,
  `  session-keyfile "${join(directory, "session.key")}";`,
  `  managed-keys-directory "${directory}";`,
  `  listen-on port ${port} { 127.0.0.1; };`,
  "  listen-on-v6 { none; };",
  "  dnssec-validation no;",
];

const startNamed = async (
  directory: string,
  port: number,
  configuration: readonly string[],
): Promise<BindServer["stop"]> => {
  const configPath = join(directory, "named.conf");
  await writeFile(configPath, [...configuration, "controls { };", ""].join("\n"));
  const child = spawn("named", ["-g", "-n", "1", "-c", configPath], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4_096)));
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  const deadline = performance.now() + startTimeoutMs;
  while (!said.includes("running\n")) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new RefloatError("program.failed", `named does not run: ${said.trimEnd()}`);
    }
    await delay(20);
  }
  return stop;
};

const makeKey = async (name: string): Promise<string> =>
  (await runProgram("tsig-keygen", ["-a", "hmac-sha256", name], { signal: new AbortController().signal })).stdout;

/**
 * A primary of the zone example.test. Its serial rises with each change.
 * @param records lines of the zone, such as `shop 60 IN A 192.0.2.1`
 */
export const startBindPrimary = async (records: readonly string[]): Promise<BindPrimary> => {
  const directory = await mkdtemp(join(tmpdir(), "bind-primary-"));
  const port = await findFreePort();
  const [key, powerlessKey] = [await makeKey("refloat"), await makeKey("powerless")];
  const zone = [
    "$TTL 300",
    "@ IN SOA ns1.example.test. root.example.test. 1 3600 600 86400 1",
    "@ IN NS ns1",
    "ns1 IN A 127.0.0.1",
    ...records,
    "",
  ];
  await writeFile(join(directory, "zone"), zone.join("\n"));
  const stop = await startNamed(directory, port, [
    key,
    powerlessKey,
    "options {",
    ...commonOptions(directory, port),
    "  recursion no;",
    "};",
    'zone "example.test" { type primary; file "zone"; allow-update { key refloat; }; };',
  ]);
  return { address: `127.0.0.1:${port}`, key, powerlessKey, stop };
};

/** A resolver that asks the primary, and remembers what it was told for as long as the records allow. */
export const startBindResolver = async (primary: BindServer): Promise<BindServer> => {
  const directory = await mkdtemp(join(tmpdir(), "bind-resolver-"));
  const port = await findFreePort();
  const [host, primaryPort] = primary.address.split(":");
  const stop = await startNamed(directory, port, [
    "options {",
    ...commonOptions(directory, port),
    `  forwarders port ${primaryPort} { ${host}; };`,
    "  forward only;",
    "  recursion yes;",
    "};",
  ]);
  return { address: `127.0.0.1:${port}`, stop };
};

/** What a server answers to somebody who asks for the addresses of IPv4 of a name. */
export const lookUp = async (server: BindServer, name: string): Promise<readonly string[]> => {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([server.address]);
  return resolver.resolve4(name);
};
