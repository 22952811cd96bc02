/**
 * Holds an instance against the facts of its point: rows of every table, sequences, and the names of all that is no table. The bytes themselves
 * were verified on their way in. Events that run are a failure: nothing may act in a restored database before somebody says so.
 */
import type { InstanceOperations } from "../../core/ports/driver.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import type { Facts } from "../../model/facts.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { type CapturedDetail, capturedDetailSchema } from "./captured-detail.ts";
import { readCode } from "./code-objects.ts";
import { type Replayed, instanceId, readReplayed } from "./marker-table.ts";
import type { MariadbOptions } from "./mariadb-options.ts";
import { listTables } from "./source-tables.ts";
import { type SqlAccess, accessOf, numberOf, runSql } from "./sql-client.ts";
import { inDatabase } from "./sql-text.ts";

type Difference = { readonly subject: string; readonly found: string };

const number = (value: number): string => value.toLocaleString("en-US");

/** Rows of tables, in one look. */
export const countRows = async (
  access: SqlAccess,
  database: string,
  tables: readonly string[],
): Promise<ReadonlyMap<string, number>> => {
  if (tables.length === 0) return new Map();
  const sql = tables.map((name) => `SELECT COUNT(*) AS found FROM ${inDatabase(database, name)};`).join("\n");
  const answers = await runSql(access, sql);
  return new Map(tables.map((name, index) => [name, numberOf(answers[index]?.[0], "found")]));
};

const compareTables = async (
  access: SqlAccess,
  database: string,
  detail: CapturedDetail,
  units: Readonly<Record<string, { readonly rows?: number | undefined }>>,
): Promise<readonly Difference[]> => {
  const present = new Map((await listTables(access, database)).map((table) => [table.name, table]));
  const missing = Object.entries(detail.tables).filter(([name]) => !present.has(name));
  const counted = await countRows(
    access,
    database,
    Object.keys(units).filter((name) => present.has(name)),
  );
  const differing = [...counted].flatMap(([name, rows]): readonly Difference[] => {
    const captured = units[name]?.rows;
    if (captured === undefined || captured === rows) return [];
    return [{ subject: name, found: `${name}: ${number(rows)} rows, captured ${number(captured)}` }];
  });
  return [...missing.map(([name, { kind }]) => ({ subject: name, found: `the ${kind} is missing` })), ...differing];
};

const compareCode = async (
  access: SqlAccess,
  database: string,
  { code }: CapturedDetail,
): Promise<readonly Difference[]> => {
  const { objects } = await readCode(access, database);
  const present = new Set(objects.map(({ kind, name }) => `${kind.toLowerCase()} ${name}`));
  const captured = Object.entries(code).flatMap(([kind, names]) => names.map((name) => `${kind} ${name}`));
  const missing = captured.filter((one) => !present.has(one)).map((one) => ({ subject: one, found: "is missing" }));
  const running = objects
    .filter(({ isEnabled }) => isEnabled === true)
    .map(({ name }) => ({ subject: `event ${name}`, found: "is enabled, and would act in a restored database" }));
  return [...missing, ...running];
};

/** What the log may have changed is not compared: rows of the tables that it names, and all of it once it has changed definitions. */
const unchanged = (
  facts: Facts,
  detail: CapturedDetail,
  replayed: Replayed | null,
): { detail: CapturedDetail; units: Facts["units"] } => {
  if (replayed === null) return { detail, units: facts.units };
  if (replayed.statements > 0) return { detail: { ...detail, tables: {}, code: {} }, units: {} };
  const units = Object.entries(facts.units).filter(([name]) => !replayed.tables.includes(name));
  return { detail, units: Object.fromEntries(units) };
};

const passedWords = (facts: Facts, compared: Facts["units"], replayed: Replayed | null, place: string): string => {
  const tables = formatAmount(facts.counts["tables"] ?? 0, "tables");
  const rows = formatAmount(facts.counts["rows"] ?? 0, "rows");
  if (replayed === null) return `${tables} and ${rows} as captured`;
  const same = Object.keys(compared).length;
  return `as of ${place}: ${
    same === 0
      ? "what the log has changed since the point"
      : `${formatAmount(same, "tables")} as captured; what the log has changed in the others`
  } is not compared, no event runs`;
};

export const validateMariadb: InstanceOperations<MariadbOptions>["validate"] = async (
  context,
  instance,
  facts,
  replay,
) => {
  const beganMs = context.clock.monotonicMs();
  const access = await accessOf(context, "target");
  const captured = capturedDetailSchema.parse(facts.detail);
  const replayed = replay === undefined ? null : await readReplayed(access, instance.name, instanceId(instance));
  const { detail, units } = unchanged(facts, captured, replayed);
  const differences = [
    ...(await compareTables(access, instance.name, detail, units)),
    ...(await compareCode(access, instance.name, detail)),
  ];
  const outcome = ({ subject, found }: Difference): CheckOutcome => ({
    subject: `facts: ${subject}`,
    kind: "facts",
    component: context.component,
    status: "failed",
    found,
    durationMs: 0,
  });
  if (differences.length > 0) return differences.map(outcome);
  return [
    {
      subject: "facts: tables, rows, views, routines, triggers, events",
      kind: "facts",
      component: context.component,
      status: "passed",
      found: passedWords(facts, units, replayed, replay?.at ?? ""),
      durationMs: context.clock.monotonicMs() - beganMs,
    },
  ];
};
