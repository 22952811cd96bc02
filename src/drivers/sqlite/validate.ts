/** Holds restored databases against the facts of their point: rows, hashes, schema, settings, and SQLite's own checks. */
import { join } from "node:path";
import type { Facts } from "../../model/facts.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { countOf } from "../../platform/tree-facts.ts";
import type { DatabaseInspection } from "./program/inspect-databases.ts";
import { runTask } from "./run-task.ts";
import { type CapturedDatabase, capturedDetailSchema, describeDatabase, labelOf } from "./sqlite-facts.ts";
import { type SqliteContext, busyTimeoutOf } from "./sqlite-options.ts";

type Difference = { readonly subject: string; readonly found: string; readonly status: "failed" | "skipped" };

const failed = (subject: string, found: string): Difference => ({ subject, found, status: "failed" });

const number = (value: number): string => value.toLocaleString("en-US");

const compareTables = (facts: Facts, found: ReadonlyMap<string, DatabaseInspection["tables"][number]>) =>
  Object.entries(facts.units).flatMap(([label, unit]): readonly Difference[] => {
    const table = found.get(label);
    if (table === undefined) return [failed(label, "the table is missing, or cannot be read here")];
    if (table.rows !== unit.rows)
      return [failed(label, `${label}: ${number(table.rows)} rows, captured ${number(unit.rows ?? 0)}`)];
    return table.sha256 === unit.sha256 ? [] : [failed(label, `${label}: the rows are not those that were captured`)];
  });

const settings = ["pageSize", "encoding", "userVersion", "applicationId", "journalMode"] as const;

const compareDatabase = (
  name: string,
  captured: CapturedDatabase,
  present: CapturedDatabase,
): readonly Difference[] => [
  ...settings
    .filter((key) => captured[key] !== present[key])
    .map((key) => failed(`${name}: ${key}`, `${present[key]}, captured ${captured[key]}`)),
  ...(captured.schemaHash === present.schemaHash ? [] : [failed(`${name}: schema`, "not the one that was captured")]),
  ...(present.integrity.length === 0
    ? []
    : [
        {
          subject: `${name}: integrity_check`,
          found: `${captured.integrity.length > 0 ? "as captured, when it was damaged already: " : ""}${present.integrity.slice(0, 3).join("; ")}`,
          status: captured.integrity.length > 0 ? "skipped" : "failed",
        } as const,
      ]),
];

/** @param root the restored file or folder */
export const validateSqlite = async (
  context: SqliteContext,
  root: string,
  facts: Facts,
): Promise<readonly CheckOutcome[]> => {
  const beganMs = context.clock.monotonicMs();
  const { databases, isFolder } = capturedDetailSchema.parse(facts.detail);
  const placed = Object.keys(databases).map((name) => ({ name, path: isFolder ? join(root, name) : root }));
  const missing: Difference[] = [];
  const there: { name: string; path: string }[] = [];
  let hasWal = false;
  for (const one of placed) {
    if (await pathExists(one.path)) there.push(one);
    else missing.push(failed(one.name, "the database is missing"));
    hasWal ||= await pathExists(`${one.path}-wal`);
  }
  const found = await runTask(context, "inspect", {
    databases: there,
    // Without a -wal file nobody has used it since it was restored, and nothing is to be made beside it.
    isUnchanging: !hasWal,
    withChecks: true,
    busyTimeoutMs: busyTimeoutOf(context),
  });
  const tables = new Map(
    found.flatMap(({ name, tables: own }) => own.map((table) => [labelOf(isFolder, name, table.name), table] as const)),
  );
  const differences = [
    ...missing,
    ...compareTables(facts, tables),
    ...found.flatMap((one) => {
      const captured = databases[one.name];
      return captured === undefined ? [] : compareDatabase(one.name, captured, describeDatabase(one));
    }),
  ];
  const outcomes = differences.map(({ subject, found: said, status }): CheckOutcome => ({
    subject: `facts: ${subject}`,
    kind: "facts",
    component: context.component,
    status,
    found: said,
    durationMs: 0,
  }));
  if (outcomes.some(({ status }) => status === "failed")) return outcomes;
  const rows = countOf(facts.counts["rows"] ?? 0, "row");
  return [
    ...outcomes,
    {
      subject: "facts: tables, rows, schema, integrity",
      kind: "facts",
      component: context.component,
      status: "passed",
      found: `${countOf(facts.counts["tables"] ?? 0, "table")} and ${rows} as captured`,
      durationMs: context.clock.monotonicMs() - beganMs,
    },
  ];
};
