/**
 * How this machine reaches an SSH host: name, port, user, keys, agent and the files of known hosts. Asks `ssh -G`, so that ~/.ssh/config
 * holds as it does for every other program; without OpenSSH's client its defaults are taken. Connects to nothing.
 */
import { existsSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "./subprocess.ts";

export type SshSettings = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Under which name the host's key is kept. */
  readonly keyName: string;
  /** Key files that exist, in the order in which they are tried. */
  readonly identityFiles: readonly string[];
  /** The socket of ssh-agent, if there is one. */
  readonly agent: string | undefined;
  readonly knownHostsFiles: readonly string[];
  /** A command whose standard streams are the connection, as ProxyCommand says. */
  readonly proxyCommand: string | undefined;
  /** Words by which a person connects to the same host with `ssh`. */
  readonly sshCommand: string;
};

export type SshRequest = {
  readonly host: string;
  readonly user: string | undefined;
  readonly port: number | undefined;
  /** Read instead of ~/.ssh/config and the system's. */
  readonly configFile: string | undefined;
};

const defaultKeys = ["id_ed25519", "id_ecdsa", "id_rsa"];

const expandHome = (path: string): string => path.replace(/^(~|%d)(?=\/)/, homedir());

const parse = (text: string): ReadonlyMap<string, readonly string[]> => {
  const found = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const at = line.indexOf(" ");
    if (at < 0) continue;
    const key = line.slice(0, at);
    found.set(key, [...(found.get(key) ?? []), line.slice(at + 1).trim()]);
  }
  return found;
};

const askSsh = async (request: SshRequest): Promise<ReadonlyMap<string, readonly string[]>> => {
  const options = [
    ...(request.configFile === undefined ? [] : ["-F", request.configFile]),
    ...(request.port === undefined ? [] : ["-p", String(request.port)]),
    ...(request.user === undefined ? [] : ["-l", request.user]),
  ];
  try {
    const { stdout } = await runProgram("ssh", ["-G", ...options, "--", request.host], {
      signal: new AbortController().signal,
    });
    return parse(stdout);
  } catch (error) {
    // Without the program there is no configuration of it either, unless one was asked for by name.
    if (error instanceof RefloatError && error.code === "program.missing" && request.configFile === undefined)
      return new Map();
    throw error;
  }
};

/** `none` is how OpenSSH says that there is none. */
const unlessNone = (value: string | undefined): string | undefined => (value === "none" ? undefined : value);

/** `ssh -W` through the jump hosts is what OpenSSH itself does for ProxyJump. */
const proxyOf = (
  settings: ReadonlyMap<string, readonly string[]>,
  configFile: string | undefined,
): string | undefined => {
  const command = unlessNone(settings.get("proxycommand")?.[0]);
  if (command !== undefined) return command;
  const jump = unlessNone(settings.get("proxyjump")?.[0]);
  if (jump === undefined) return undefined;
  const hops = jump.split(",");
  const last = hops.pop() ?? "";
  const before = hops.length === 0 ? "" : `-J '${hops.join(",")}' `;
  const config = configFile === undefined ? "" : `-F '${configFile}' `;
  return `ssh ${config}${before}-W '[%h]:%p' -- '${last}'`;
};

/** @throws RefloatError program.failed with what ssh says of its configuration */
export const readSshSettings = async (request: SshRequest): Promise<SshSettings> => {
  const settings = await askSsh(request);
  const one = (key: string): string | undefined => settings.get(key)?.[0];
  const host = one("hostname") ?? request.host;
  const port = Number(one("port") ?? request.port ?? 22);
  const user = one("user") ?? request.user ?? userInfo().username;
  const home = (name: string): string => join(homedir(), ".ssh", name);
  const keys = settings.get("identityfile") ?? defaultKeys.map(home);
  const known = [
    ...(one("userknownhostsfile") ?? home("known_hosts")).split(" "),
    ...(one("globalknownhostsfile") ?? "/etc/ssh/ssh_known_hosts").split(" "),
  ];
  const agent = one("identityagent") ?? "SSH_AUTH_SOCK";
  const proxy = proxyOf(settings, request.configFile);
  return {
    host,
    port,
    user,
    keyName: one("hostkeyalias") ?? host,
    identityFiles: keys.map(expandHome).filter((path) => existsSync(path)),
    agent: agent === "SSH_AUTH_SOCK" ? process.env.SSH_AUTH_SOCK : unlessNone(expandHome(agent)),
    knownHostsFiles: known.filter((path) => path !== "").map(expandHome),
    proxyCommand: proxy?.replaceAll(/%[hpr]/g, (token) => ({ "%h": host, "%p": String(port) })[token] ?? user),
    sshCommand: [
      "ssh",
      ...(request.configFile === undefined ? [] : ["-F", request.configFile]),
      ...(request.port === undefined ? [] : ["-p", String(request.port)]),
      request.user === undefined ? request.host : `${request.user}@${request.host}`,
    ].join(" "),
  };
};
