/** An archive of the audit log that is a plain folder with one file an entry: for tests of what comes before the vault. */
import { hash, randomUUID } from "node:crypto";
import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readEntry } from "../core/audit/audit-chain.ts";
import type { AuditArchive } from "../core/ports/audit-log.ts";
import type { AuditHead } from "../model/audit-entry.ts";

/** @param folder an existing one */
export const createFolderAuditArchive = (folder: string): AuditArchive => {
  const texts = async (): Promise<readonly string[]> => {
    const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).toSorted();
    return Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  };
  return {
    append: async (text) => {
      const name = join(folder, randomUUID());
      await writeFile(name, text);
      await rename(name, `${name}.json`);
    },
    read: async () => ({
      entries: (await texts()).map((text) => ({ text, snapshot: hash("sha256", text) })),
      unreadable: [],
    }),
    heads: async () => {
      const heads: Record<string, AuditHead> = {};
      for (const text of await texts()) {
        const chained = readEntry(text);
        if (chained === null) continue;
        const { writer, sequence } = chained.entry;
        if ((heads[writer]?.sequence ?? 0) < sequence) heads[writer] = { sequence, hash: chained.hash };
      }
      return heads;
    },
    compact: async () => 0,
  };
};
