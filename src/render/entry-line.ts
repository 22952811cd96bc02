/** One entry of a captured folder in one line, as `ls -l` would have it, with a name that no terminal takes for a command. */
import type { FolderEntry } from "../core/ports/vault-snapshots.ts";
import { formatBytes } from "../core/text/quantity.ts";
import { showName } from "../core/text/shown-name.ts";
import { instantOfNs } from "../core/text/instant-of-ns.ts";
import { wallTimeAt } from "../core/time/wall-time.ts";
import { padStart } from "./fit-text.ts";
import type { Screen } from "./screen.ts";

const kinds = {
  file: "-",
  dir: "d",
  symlink: "l",
  dev: "b",
  chardev: "c",
  fifo: "p",
  socket: "s",
  irregular: "?",
} as const satisfies Record<FolderEntry["type"], string>;

const three = (bits: number, special: boolean, mark: string): string => {
  const execute = (bits & 1) !== 0;
  const last = special ? (execute ? mark : mark.toUpperCase()) : execute ? "x" : "-";
  return `${(bits & 4) === 0 ? "-" : "r"}${(bits & 2) === 0 ? "-" : "w"}${last}`;
};

/** `-rw-r--r--`, `drwxrwsr-t` */
export const formatMode = (type: FolderEntry["type"], mode: number): string =>
  kinds[type] +
  three(mode >> 6, (mode & 0o4000) !== 0, "s") +
  three(mode >> 3, (mode & 0o2000) !== 0, "s") +
  three(mode, (mode & 0o1000) !== 0, "t");

const two = (value: number): string => String(value).padStart(2, "0");

/** `2026-11-22 14:00`, the same width for every year that a person may meet. */
export const formatStamp = (ns: bigint, timeZone: string): string => {
  const { year, month, day, hour, minute } = wallTimeAt(new Date(instantOfNs(ns)), timeZone);
  return `${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}`;
};

/** @param path what is shown of its name */
export const entryLine = (path: Uint8Array, entry: FolderEntry, { paint, timeZone }: Screen): string => {
  const size = entry.type === "file" ? formatBytes(entry.sizeBytes) : "";
  const name = showName(path);
  const folder = entry.treeId !== null;
  return [
    formatMode(entry.type, entry.mode),
    padStart(size, 8),
    formatStamp(entry.modifiedNs, timeZone),
    (folder ? paint("cyan", `${name}/`) : name) +
      (entry.linkTarget === null ? "" : ` -> ${showName(entry.linkTarget)}`),
  ].join("  ");
};
