/**
 * One entry of the section [databases], read and rewritten in the text of its file; everything else in it stays as a person wrote it, the
 * password of the entry too. The form is that of https://www.pgbouncer.org/config.html: one line `name = host=... port=...`. What is not of
 * this form is refused.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import type { ServerPlace } from "./pgbouncer-options.ts";

type Value = { readonly text: string; readonly begin: number; readonly end: number };
type Entry = { readonly place: ServerPlace; readonly host: Value; readonly port: Value | null };

const defaultPort = 5432;

const refusal = (path: string, name: string, why: string): RefloatError =>
  new RefloatError("source.unsupported", `${path}: ${why}`, {
    state: "nothing was changed",
    hint: `write it on one line under [databases]: ${name} = host=127.0.0.1 port=5432`,
  });

/** Lines of the section with their places. A file that is included may begin without a header: it stands in the section that includes it. */
function* linesOfDatabases(text: string): Generator<{ readonly line: string; readonly begin: number }> {
  let inSection = true;
  let begin = 0;
  for (const line of text.split("\n")) {
    const [, section] = /^\s*\[([^\]]*)\]/.exec(line) ?? [];
    if (section !== undefined) inSection = section === "databases";
    else if (inSection && !/^\s*(?:[;#%]|$)/.test(line)) yield { line, begin };
    begin += line.length + 1;
  }
}

const unquote = (text: string): string => (text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text);

const valueOf = (settings: string, begin: number, key: string): readonly Value[] =>
  [...settings.matchAll(/(?<=^|\s)([A-Za-z_]+)\s*=\s*('(?:[^']|'')*'|[^\s']\S*)/g)]
    .filter(([, name]) => name === key)
    .map(([whole, , value = ""], index, all) => {
      const end = begin + (all[index] as RegExpExecArray).index + whole.length;
      return { text: unquote(value), begin: end - value.length, end };
    });

const find = (text: string, path: string, name: string): Entry => {
  const lines = [...linesOfDatabases(text)].flatMap(({ line, begin }) => {
    const [head, quoted, plain] = /^\s*(?:"((?:[^"]|"")*)"|([^\s="]+))\s*=/.exec(line) ?? [];
    if (head === undefined || (quoted?.replaceAll('""', '"') ?? plain) !== name) return [];
    return [{ settings: line.slice(head.length), begin: begin + head.length }];
  });
  const [only] = lines;
  if (only === undefined) throw refusal(path, name, `[databases] has no entry "${name}"`);
  if (lines.length > 1) throw refusal(path, name, `[databases] has ${lines.length} entries "${name}"`);
  const hosts = valueOf(only.settings, only.begin, "host");
  const ports = valueOf(only.settings, only.begin, "port");
  const [host] = hosts;
  const [port = null] = ports;
  if (host === undefined || host.text === "") throw refusal(path, name, `the entry ${name} has no host=`);
  if (hosts.length > 1 || ports.length > 1) throw refusal(path, name, `the entry ${name} has a host or port twice`);
  if (host.text.includes(","))
    throw refusal(path, name, `the entry ${name} has several hosts, and only one can be switched`);
  const number = port === null ? defaultPort : Number(port.text);
  if (!Number.isInteger(number)) throw refusal(path, name, `the entry ${name} has the port "${port?.text ?? ""}"`);
  return { place: { host: host.text, port: number }, host, port };
};

/** @throws RefloatError source.unsupported when the entry is not there or not of one server */
export const readEntry = (text: string, path: string, name: string): ServerPlace => find(text, path, name).place;

/** The text with another server in the entry. @throws RefloatError source.unsupported */
export const writeEntry = (text: string, path: string, name: string, to: ServerPlace): string => {
  const { host, port } = find(text, path, name);
  const changes = [
    { begin: host.begin, end: host.end, text: port === null ? `${to.host} port=${to.port}` : to.host },
    ...(port === null ? [] : [{ begin: port.begin, end: port.end, text: String(to.port) }]),
  ].sort((a, b) => b.begin - a.begin);
  return changes.reduce((sum, { begin, end, text: put }) => `${sum.slice(0, begin)}${put}${sum.slice(end)}`, text);
};
