/**
 * Looks at a running process and all that it has started: what it maps, holds open, listens on and is connected to, from /proc. Reads only;
 * values of variables are looked at here and go no further than what they mean.
 */
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { isGeneralVariable, meaningOf } from "../core/init/variable-meaning.ts";
import type { ObservedTree } from "../core/ports/discovery.ts";
import { describeFiles, mappedFiles } from "./fingerprint.ts";
import { descendantsOf, listProcesses, readEnvironment, readPlaces } from "./process-table.ts";
import { readSocketHolders, readTcpSockets } from "./socket-table.ts";

const attempt = <Result>(read: () => Result): Result | null => {
  try {
    return read();
  } catch {
    // Ended meanwhile, or another user's.
    return null;
  }
};

/** Of the operating system, or gone with the process. */
const systemPlaces = /^\/(proc|sys|dev|run|usr|lib\w*|bin|sbin|boot|var\/log|var\/run)(\/|$)/;

/** What is there is not meant to stay, unless the application itself lives there. */
const temporaryPlaces = /^\/(tmp|var\/tmp)(\/|$)/;

const openFiles = (pid: number): readonly string[] | null => {
  const livesInTemporary = temporaryPlaces.test(readPlaces(pid).workingDirectory ?? "");
  const folder = `/proc/${pid}/fd`;
  const names = attempt(() => readdirSync(folder));
  if (names === null) return null;
  return names.flatMap((name) => {
    const path = attempt(() => readlinkSync(`${folder}/${name}`));
    if (path === null || !path.startsWith("/") || path.endsWith(" (deleted)") || systemPlaces.test(path)) return [];
    if (!livesInTemporary && temporaryPlaces.test(path)) return [];
    return attempt(() => statSync(path))?.isFile() === true ? [path] : [];
  });
};

const hostsIn = (name: string, value: string): ObservedTree["hosts"] => {
  const candidates = URL.canParse(value)
    ? [new URL(value).hostname]
    : /^(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?$/i.test(value)
      ? [value.replace(/:\d+$/, "")]
      : [];
  return candidates
    .map((host) => host.replace(/^\[|\]$/g, ""))
    .filter((host) => host !== "" && host !== "localhost" && isIP(host) === 0)
    .map((host) => ({ name: host, variable: name }));
};

const octal = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)));

/** Longest first: what a path lies on is the longest that it begins with. */
const readMounts = (pid: number): ObservedTree["mounts"] =>
  (attempt(() => readFileSync(`/proc/${pid}/mountinfo`, "utf8")) ?? "")
    .split("\n")
    .flatMap((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const path = before.split(" ")[4];
      const [type = "", source = ""] = after.split(" ");
      return path === undefined ? [] : [{ path: octal(path), type, source: octal(source) }];
    })
    .toSorted((one, other) => other.path.length - one.path.length);

export const observeTree = async (pid: number, signal: AbortSignal): Promise<ObservedTree> => {
  const table = listProcesses();
  const pids = [pid, ...descendantsOf(pid, table).map((row) => row.pid)];
  const [tcp, holders] = await Promise.all([readTcpSockets(), readSocketHolders()]);
  signal.throwIfAborted();
  const held = new Set(pids.flatMap((one) => [...(holders.get(one) ?? [])]));
  const own = tcp.filter(({ inode }) => held.has(inode));
  const ports = [...new Set(own.filter(({ listening }) => listening).map(({ localPort }) => localPort))];
  const addresses = new Set(
    Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address)),
  );
  const isLocal = (host: string): boolean => host.startsWith("127.") || host === "::1" || addresses.has(host);
  // A connection that was accepted has a port of its own at this end: its other end is a client.
  const peers = own
    .filter(({ listening, localPort }) => !listening && !ports.includes(localPort))
    .map(({ remoteHost, remotePort }) => ({ host: remoteHost, port: remotePort, local: isLocal(remoteHost) }));
  const environment = readEnvironment(pid);
  const variables = [...(environment ?? [])].filter(
    ([name]) => !isGeneralVariable(name) && /^[A-Za-z_]\w*$/.test(name),
  );
  const opened = pids.map(openFiles);
  const files = [...new Set(opened.flatMap((list) => list ?? []))].toSorted();
  const mapped = await Promise.all(pids.map(mappedFiles));
  const described = await describeFiles([...new Set(mapped.flat())], signal);
  const places = [...files, ...pids.flatMap((one) => readPlaces(one).workingDirectory ?? [])];
  const mounts = readMounts(pid);
  const mountOf = (path: string) =>
    mounts.find((mount) => path === mount.path || path.startsWith(`${mount.path.replace(/\/$/, "")}/`));
  return {
    pids,
    variables:
      environment === null ? null : variables.map(([name, value]) => ({ name, meaning: meaningOf(value, ports) })),
    hosts: variables.flatMap(([name, value]) => hostsIn(name, value)),
    ...described,
    files,
    ports,
    peers: [...new Map(peers.map((peer) => [`${peer.host}:${peer.port}`, peer])).values()],
    mounts: [
      ...new Map(
        places.flatMap((path) => {
          const mount = mountOf(path);
          return mount === undefined || mount.path === "/" ? [] : [[mount.path, mount] as const];
        }),
      ).values(),
    ],
    hidden: environment === null || opened.includes(null),
  };
};

/** @throws what keeps the file from being read */
export const readDeclarationFile = async (path: string): Promise<{ readonly path: string; readonly text: string }> => ({
  path,
  text: await readFile(path, "utf8"),
});
