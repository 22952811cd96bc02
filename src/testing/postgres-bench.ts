/** What tests of the PostgreSQL driver share: contexts for a database of a test server, captures in a folder, comparison by stock pg_dump. */
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { CaptureReport } from "../core/ports/driver.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import type { SnapshotId } from "../model/identifiers.ts";
import { capturePostgres } from "../drivers/postgres/capture.ts";
import type { PostgresContext } from "../drivers/postgres/postgres-context.ts";
import type { PostgresOptions } from "../drivers/postgres/postgres-options.ts";
import { createDirectorySink } from "./directory-vault.ts";
import { createTestContext } from "./driver-context.ts";
import type { PostgresServer } from "./postgres-server.ts";

export const postgresContext = (
  server: PostgresServer,
  database: string,
  folder: string,
  changes: Partial<PostgresContext> & { readonly more?: Partial<PostgresOptions> } = {},
): PostgresContext => {
  const { more, ...rest } = changes;
  const options: PostgresOptions = { url: server.url(database), ...more };
  return { ...createTestContext({ options, folder, component: "db" }), ...rest };
};

export const capturedFrom = (report: CaptureReport): CapturedComponent => ({
  name: "db",
  driver: "postgres",
  snapshot: "0".repeat(64) as SnapshotId,
  path: report.path,
  facts: report.facts,
  sizeBytes: report.facts.sizeBytes,
  newBytes: report.facts.sizeBytes,
  window: report.window,
  consistency: report.consistency,
  finishedAt: report.window.endAt,
  warnings: report.warnings,
});

/** Captures into `folder`, which is made. */
export const captureInto = async (context: PostgresContext, folder: string): Promise<CapturedComponent> => {
  await mkdir(folder, { recursive: true });
  return capturedFrom(await capturePostgres(context, createDirectorySink(folder), null));
};

export type DatabaseContent = {
  readonly schema: string;
  /** Names of the tables to the hash of their rows, by a dump of the stock program. */
  readonly rows: Readonly<Record<string, string>>;
};

/** Schema and rows of a database as stock pg_dump sees them; the same for two databases only if they are the same. */
export const readContent = async (server: PostgresServer, database: string): Promise<DatabaseContent> => {
  const folder = join(server.directory, `content-${database}`);
  const dump = (...args: string[]) => execa(`${server.binaries}/pg_dump`, [...args, "-d", server.url(database)]);
  await dump("-Fd", "-Z0", "-f", folder);
  const { stdout: list } = await execa(`${server.binaries}/pg_restore`, ["-l", folder]);
  const names = new Map<string, string>();
  for (const line of list.split("\n")) {
    const match = /^(\d+); \d+ \d+ TABLE DATA (.*) \S+$/.exec(line);
    if (match !== null) names.set(`${match[1]}.dat`, match[2] ?? "");
  }
  const rows: Record<string, string> = {};
  for (const file of (await readdir(folder)).toSorted()) {
    if (file === "toc.dat") continue;
    const content = await readFile(join(folder, file));
    rows[names.get(file) ?? file] = createHash("sha256").update(content).digest("hex");
  }
  await rm(folder, { recursive: true });
  const { stdout: schema } = await dump("-s");
  return { schema: schema.replaceAll(/^\\(?:un)?restrict .*$/gm, ""), rows };
};
