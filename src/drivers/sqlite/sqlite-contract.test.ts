/** The contract of component drivers, on a file in either kind of journal mode and on a folder of databases. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { vi } from "vitest";
import { describeComponentDriver, type DriverBench } from "../../testing/component-driver-contract.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import {
  type JournalMode,
  captureSqliteInto,
  createLedger,
  readAllContent,
  runSql,
  sqliteContext,
  sqliteDriver,
} from "../../testing/sqlite-bench.ts";

vi.setConfig({ testTimeout: 300_000 });

const openBench = async (modes: readonly JournalMode[], isFolder: boolean): Promise<DriverBench> => {
  const folder = await createTestFolder("refloat-sqlite");
  const place = join(folder.path, "srv");
  const path = isFolder ? join(place, "data") : join(place, "it's a shop?.db");
  await mkdir(isFolder ? path : place, { recursive: true });
  const files = modes.map((mode, index) => (isFolder ? join(path, `${index}.db`) : path));
  for (const [index, mode] of modes.entries()) createLedger(files[index] ?? path, mode);
  const context = sqliteContext(folder.path, { path, ...(isFolder ? { databases: ["*.db"] } : {}) });
  let captures = 0;
  return {
    driver: sqliteDriver,
    context,
    capture: () => captureSqliteInto(context, join(folder.path, `vault-${(captures += 1)}`)),
    open: async () => createDirectoryReader(join(folder.path, `vault-${captures}`)),
    write: async () => {
      for (const file of files)
        runSql(
          file,
          "update accounts set balance = balance - 1 where id = 1; insert into transfers values (null, 1, 2, 1)",
        );
    },
    content: async (location) => readAllContent(location ?? path),
    close: folder.remove,
  };
};

describeComponentDriver("a database in WAL mode", () => openBench(["wal"], false));
describeComponentDriver("a database with a rollback journal", () => openBench(["delete"], false));
describeComponentDriver("a folder of databases", () => openBench(["wal", "persist", "truncate"], true));
