/** Restored databases beside the live ones: made and dropped as files are, held against facts as databases. */
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { InstanceOperations, Outputs } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { locateInstance } from "../../platform/path-instance.ts";
import { partialPath, retiredPath } from "../../platform/path-names.ts";
import { createPathInstances } from "../../platform/path-operations.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { findDatabases } from "./database-files.ts";
import { moveSiblings, removeSiblings } from "./siblings.ts";
import { type SqliteContext, type SqliteOptions, stablePathOf } from "./sqlite-options.ts";
import { validateSqlite } from "./validate.ts";

/** @param path of the file or folder, stable or of an instance */
export const outputsAt = async (context: SqliteContext, path: string): Promise<Outputs> => {
  const plain = { path: { value: path, secret: false }, url: { value: pathToFileURL(path).href, secret: false } };
  if (context.options.databases === undefined || !(await pathExists(path))) return plain;
  const { databases } = await findDatabases(context, path);
  const names = databases.map(({ name }) => name).join("\n");
  return { ...plain, databases: { value: names, secret: false } };
};

const byPath = createPathInstances<SqliteOptions>(stablePathOf, (context, _target, path) => outputsAt(context, path));

/** For each database, whatever its size: folders and the last block. */
const perDatabaseBytes = 65_536;

const sizeOf = ({ facts }: CapturedComponent): number =>
  facts.sizeBytes + perDatabaseBytes * (facts.counts["databases"] ?? 1);

export const sqliteInstances: InstanceOperations<SqliteOptions> = {
  ...byPath,

  footprint: async (context, captured) => [{ path: dirname(await stablePathOf(context)), bytes: sizeOf(captured) }],

  restore: async (context, target, source, captured) => {
    // Left by an instance of the same name whose end nobody saw: it would be taken for that of the new file.
    await removeSiblings(target.name);
    const report = await byPath.restore(context, target, source, captured);
    const { counts } = captured.facts;
    const of = counts["databases"] === undefined ? "" : ` in ${countOf(counts["databases"], "database")}`;
    return {
      ...report,
      summary: `${countOf(counts["tables"] ?? 0, "table")}${of} into ${basename(target.name)} in ${dirname(target.name)}`,
    };
  },

  validate: async (context, target, facts) => {
    const place = await locateInstance(await stablePathOf(context), target);
    return validateSqlite(context, place.presence === "done" ? place.path : target.name, facts);
  },

  drop: async (context, target) => {
    await byPath.drop(context, target);
    const stable = await stablePathOf(context);
    await translateSystemErrors("target.failed", `${target.name} cannot be dropped`, async () => {
      await removeSiblings(target.name);
      await removeSiblings(partialPath(target.name));
      // A switch that was begun and not made may have moved what belongs to the live side.
      const retired = retiredPath(stable, target.run);
      if (!(await pathExists(retired))) await moveSiblings(retired, stable);
    });
  },
};
