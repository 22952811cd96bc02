/**
 * Tables of captured databases, for people who want one of them: from the point alone. SQLite reads files, so the database that
 * the table lies in is taken out of the vault for it, and removed as soon as it is open.
 */
import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CapturedContents, CapturedTable } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { streamTask } from "./run-task.ts";
import { capturedDetailSchema, labelOf } from "./sqlite-facts.ts";

type Placed = { readonly database: string; readonly table: string };

/** By label, where each table lies. */
const placesOf = ({ facts }: CapturedComponent): ReadonlyMap<string, Placed> => {
  const detail = capturedDetailSchema.safeParse(facts.detail);
  const { isFolder, databases } = detail.success ? detail.data : { isFolder: false, databases: {} };
  const names = Object.keys(databases);
  return new Map(
    Object.keys(facts.units).flatMap((label) => {
      const database = isFolder
        ? names.find((name) => label.startsWith(labelOf(true, name, "")))
        : (names[0] ?? undefined);
      if (database === undefined) return [];
      const table = isFolder ? label.slice(labelOf(true, database, "").length) : label;
      return [[label, { database, table }] as const];
    }),
  );
};

const tablesOf = (captured: CapturedComponent): readonly CapturedTable[] => {
  const places = placesOf(captured);
  const shorts = [...places.values()].map(({ table }) => table);
  return Object.entries(captured.facts.units).map(([name, { rows, sizeBytes, sha256 }]) => {
    const short = places.get(name)?.table;
    const isOnly = short !== undefined && short !== name && shorts.filter((one) => one === short).length === 1;
    return {
      name,
      aliases: isOnly ? [short] : [],
      rows: rows ?? null,
      sizeBytes: sizeBytes ?? null,
      sha256: sha256 ?? null,
      hasRows: true,
    };
  });
};

export const sqliteContents: CapturedContents = {
  whole: { words: "as SQLite reads it", suffix: ".copy" },
  tables: tablesOf,
  // A file holds all tables of its database.
  tableAt: () => null,
  rows: async function* rows(tree, captured, { table, format, signal }) {
    const placed = placesOf(captured).get(table.name);
    if (placed === undefined)
      throw new RefloatError("point.damaged", `the point does not say where ${table.name} lies`);
    const { isFolder } = capturedDetailSchema.parse(captured.facts.detail);
    const path = isFolder ? `${captured.path}/${placed.database}` : captured.path;
    const entry = await tree.entry(path);
    if (entry === undefined) throw new RefloatError("point.damaged", `the point has no ${path} for ${table.name}`);
    const folder = join(tmpdir(), `refloat-sqlite-${randomBytes(6).toString("hex")}`);
    await mkdir(folder, { mode: 0o700 });
    try {
      const file = join(folder, "database");
      await tree.extract(entry, file, signal);
      yield* streamTask(
        { marker: `refloat/extract/${captured.name}`, signal },
        "rows",
        { path: file, folder, table: placed.table, format },
        (read) => {
          const differs =
            (table.sha256 !== null && read.sha256 !== table.sha256) ||
            (table.rows !== null && read.rows !== table.rows);
          if (!differs) return;
          throw new RefloatError("vault.damaged", `the rows of ${table.name} are not those that were captured`, {
            context: { table: table.name, rows: read.rows, captured: table.rows },
            state: "what was written so far is not to be used",
          });
        },
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
