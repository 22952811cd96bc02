/** A list of changed files as CSV: written beside as a temporary file, given its name when it is whole. */
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import type { WalkedEntry } from "../../platform/tree-walk.ts";

export type ChangeKind = "added" | "changed" | "removed";

export type ChangeList = {
  readonly add: (kind: ChangeKind, entry: WalkedEntry) => Promise<void>;
  /** @returns the file's name within the folder; null when there was nothing to list, and then there is no file */
  readonly close: () => Promise<string | null>;
  readonly abandon: () => Promise<void>;
};

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes that are not UTF-8 come out as `\xE9`, so that two names never look the same. */
export const printableName = (name: Buffer): string => {
  try {
    return decoder.decode(name);
  } catch {
    return Array.from(name, (byte) =>
      byte >= 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCodePoint(byte)
        : `\\x${byte.toString(16).padStart(2, "0").toUpperCase()}`,
    ).join("");
  }
};

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export const openChangeList = async (folder: string, name: string): Promise<ChangeList> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  const temporary = `${path}.tmp`;
  const stream = createWriteStream(temporary, { mode: 0o600, flush: true });
  let rows = 0;
  const write = async (line: string): Promise<void> => {
    if (!stream.write(line)) await once(stream, "drain");
  };
  await once(stream, "open");
  await write("change,path,size_bytes,modified_at\n");
  return {
    add: async (kind, { path: entryPath, stats }) => {
      rows++;
      const modifiedAt = new Date(stats.mtimeMs).toISOString();
      await write(`${kind},${quoted(printableName(entryPath))},${stats.size},${modifiedAt}\n`);
    },
    close: async () => {
      stream.end();
      await finished(stream);
      if (rows === 0) {
        await rm(temporary, { force: true });
        return null;
      }
      await rename(temporary, path);
      return name;
    },
    abandon: async () => {
      stream.destroy();
      await rm(temporary, { force: true });
    },
  };
};
