/** Where rows go that are not put back from a side that is kept: a CSV file for each table, there whole or not at all. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { KeepLeftRows } from "../../core/mend/left-rows.ts";
import { syncDirectory } from "../atomic-file.ts";
import { translateSystemErrors } from "../system-error.ts";

/** `mails.csv`, `bench.mails.csv`. What could leave the folder is replaced, and what two tables would share is told apart. */
export const rowFileName = (database: string | null, table: string): string => {
  const isPlain =
    database === null ? /^\w[\w.-]{0,99}$/.test(table) : [database, table].every((one) => /^\w{1,99}$/.test(one));
  const whole = database === null ? table : `${database}.${table}`;
  if (isPlain) return `${whole}.csv`;
  const digest = createHash("sha256")
    .update(JSON.stringify([database, table]))
    .digest("hex")
    .slice(0, 8);
  return `${whole.replaceAll(/\W+/g, "_").slice(0, 100)}-${digest}.csv`;
};

/** @param database where the component has several. The file of an earlier look is replaced: what was put in by hand since is in it no more. */
export const keepLeftRows =
  (folder: string, database: string | null = null): KeepLeftRows =>
  (table, { csv, count }) =>
    translateSystemErrors("target.failed", `the rows of ${table} could not be written`, async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, rowFileName(database, table));
      const partial = `${path}.${randomBytes(6).toString("hex")}.tmp`;
      try {
        const handle = await open(partial, "wx", 0o600);
        try {
          for await (const chunk of csv) await handle.writeFile(chunk);
          await handle.sync();
        } finally {
          await handle.close();
        }
        if (count() === 0) {
          await rm(path, { force: true });
          return null;
        }
        await rename(partial, path);
        await syncDirectory(folder);
        return path;
      } finally {
        await rm(partial, { force: true });
      }
    });
