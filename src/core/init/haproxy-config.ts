/** Reads as much of an haproxy.cfg as a proposal needs: admin socket, front ends, servers. No validation: HAProxy does that. */
import type { HaproxyConfig } from "./machine-findings.ts";

type Address = { readonly host: string; readonly port: number };

/** `*:80`, `:80`, `10.0.0.1:80`, `[::1]:80`; a Unix socket or a range of ports is none. */
const readAddress = (text: string): Address | undefined => {
  const [, bracketed, plain, port] = /^(?:ipv[46]@)?(?:\[([^\]]*)\]|([^:[\]/]*)):(\d+)$/.exec(text) ?? [];
  if (port === undefined) return undefined;
  const host = bracketed ?? plain ?? "";
  return { host: ["", "*", "0.0.0.0", "::"].includes(host) ? "127.0.0.1" : host, port: Number(port) };
};

/** Words of a line; quotes group, a backslash keeps the next character, # begins a comment. */
const wordsOf = (line: string): readonly string[] =>
  [...line.matchAll(/#.*$|"((?:\\.|[^"\\])*)"|'([^']*)'|((?:\\.|[^\s"'#\\])+)/g)]
    .filter(([whole]) => !whole.startsWith("#"))
    .map(([, double, single, bare]) => (double ?? single ?? bare ?? "").replaceAll(/\\(.)/g, "$1"));

const sectionWords = new Set([
  "global",
  "defaults",
  "frontend",
  "backend",
  "listen",
  "peers",
  "resolvers",
  "userlist",
  "mailers",
  "program",
  "cache",
  "ring",
  "http-errors",
]);

export const parseHaproxyConfig = (text: string): HaproxyConfig => {
  let section = { kind: "", name: "" };
  let adminSocket: string | null = null;
  const binds: Address[] = [];
  const servers: (Address & { readonly backend: string; readonly server: string })[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [word = "", first = "", second = "", ...rest] = wordsOf(line);
    if (sectionWords.has(word)) section = { kind: word, name: first };
    if (section.kind === "global" && word === "stats" && first === "socket" && isAdminPath(second, rest))
      adminSocket ??= second.replace(/^unix@/, "");
    const address = readAddress(word === "server" ? second : first.split(",", 1).join(""));
    if (address === undefined) continue;
    if (word === "bind" && (section.kind === "frontend" || section.kind === "listen")) binds.push(address);
    if (word === "server" && (section.kind === "backend" || section.kind === "listen"))
      servers.push({ backend: section.name, server: first, ...address });
  }
  return { adminSocket, binds, servers };
};

const isAdminPath = (path: string, settings: readonly string[]): boolean =>
  /^(unix@)?\//.test(path) && settings[settings.indexOf("level") + 1] === "admin" && settings.includes("level");
