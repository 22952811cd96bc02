/**
 * Holds an instance against the facts of its point: rows of every table, large objects, sequences, shape of the schema. The bytes
 * themselves were verified on their way in.
 */
import type { InstanceTarget } from "../../core/ports/driver.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import type { Facts } from "../../model/facts.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { capturedDetailSchema, largeObjectsUnit } from "./captured-detail.ts";
import { findClientPrograms } from "./client-programs.ts";
import { resolveTarget } from "../../platform/postgres/connection-target.ts";
import { readDumpToc } from "./dump-toc.ts";
import { quoteText } from "./instance-names.ts";
import { readMark } from "./position.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { postgresLimits } from "./postgres-options.ts";
import { hasScheduler, isOfScheduler, kindsOfScheduler } from "./scheduler.ts";
import { readSchemaShape, type SchemaShape } from "./schema-shape.ts";
import { readServerVersion } from "../../platform/postgres/server-version.ts";
import { type Session, withSession } from "../../platform/postgres/session.ts";

type Difference = { readonly subject: string; readonly found: string; readonly status: "failed" | "skipped" };

const number = (value: number): string => value.toLocaleString("en");

const failed = (subject: string, found: string): Difference => ({ subject, found, status: "failed" });

/** @returns null if there is no such table */
const countRows = async (session: Session, label: string): Promise<number | null> => {
  const [table] = await session.query<{ name: string | null }>(
    `select format('%I.%I', n.nspname, c.relname) as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.oid = to_regclass(${quoteText(label)})`,
  );
  if (table?.name === undefined || table.name === null) return null;
  const [row] = await session.query<{ rows: number }>(`select count(*)::float8 as rows from only ${table.name}`);
  return row?.rows ?? 0;
};

/** @param scheduler was pg_cron there, which no restored database has? */
const compareRows = async (session: Session, facts: Facts, scheduler: boolean): Promise<readonly Difference[]> => {
  const differences: Difference[] = [];
  for (const [label, unit] of Object.entries(facts.units)) {
    if (unit.rows === undefined || (scheduler && isOfScheduler(label))) continue;
    if (label === largeObjectsUnit) {
      const [row] = await session.query<{ n: number }>("select count(*)::float8 as n from pg_largeobject_metadata");
      if (row?.n !== unit.rows) {
        differences.push(failed(label, `${number(row?.n ?? 0)}, captured ${number(unit.rows)}`));
      }
      continue;
    }
    const rows = await countRows(session, label);
    if (rows === null) differences.push(failed(label, "the table is missing"));
    else if (rows !== unit.rows) {
      differences.push(failed(label, `${label}: ${number(rows)} rows, captured ${number(unit.rows)}`));
    }
  }
  return differences;
};

type SequenceRow = { readonly name: string; readonly value: string | null; readonly increment: string };

/** A value read at capture a moment before the archive's may be behind it, never ahead. Sequences that cycle have no order. */
const compareSequences = async (session: Session, facts: Facts): Promise<readonly Difference[]> => {
  const captured = facts.position === undefined ? {} : (readMark(facts.position).sequences ?? {});
  const rows = await session.query<SequenceRow>(
    `select format('%I.%I', schemaname, sequencename) as name, last_value::text as value, increment_by::text as increment
       from pg_sequences where not cycle`,
  );
  return rows.flatMap(({ name, value, increment }) => {
    const before = captured[name];
    if (before === undefined) return [];
    const behind =
      value === null || (BigInt(increment) > 0n ? BigInt(value) < BigInt(before) : BigInt(value) > BigInt(before));
    return behind ? [failed(name, `stands at ${value ?? "its start"}, captured at ${before}`)] : [];
  });
};

const compareShapes = (captured: SchemaShape, present: SchemaShape, scheduler: boolean): readonly Difference[] =>
  [...new Set([...Object.keys(captured), ...Object.keys(present)])].sort().flatMap((kind): Difference[] => {
    const [then, now] = [captured[kind], present[kind]];
    const subject = `schema: ${kind.toLowerCase()}`;
    if (scheduler && kindsOfScheduler.has(kind))
      return [{ subject, found: "not compared: pg_cron is left out of a restored database", status: "skipped" }];
    if (then?.names !== now?.names) return [failed(subject, `${now?.count ?? 0}, captured ${then?.count ?? 0}`)];
    if (then?.definitions === now?.definitions) return [];
    return [{ subject, found: "the same objects, of which the server now words some differently", status: "skipped" }];
  });

export const validatePostgres = async (
  context: PostgresContext,
  instance: InstanceTarget,
  facts: Facts,
): Promise<readonly CheckOutcome[]> => {
  const beganMs = context.clock.monotonicMs();
  const target = { ...(await resolveTarget(context)), database: instance.name };
  const detail = capturedDetailSchema.parse(facts.detail);
  const scheduler = hasScheduler(detail.database.extensions);
  const { marker, signal } = context;
  const differences = await withSession({ target, marker, role: "target", signal }, async (session) => {
    // Labels leave schema public out.
    await session.query("set search_path = public; set row_security = off");
    const server = await readServerVersion(session);
    const programs = await findClientPrograms(server.major, signal);
    const toc = await readDumpToc({
      programs,
      target,
      marker,
      signal,
      snapshot: null,
      encoding: detail.encoding,
      excludeData: [],
      lockTimeoutMs: postgresLimits(context.options).lockTimeoutMs,
    });
    return [
      ...(await compareRows(session, facts, scheduler)),
      ...(await compareSequences(session, facts)),
      ...compareShapes(detail.shape, readSchemaShape(toc), scheduler),
    ];
  });
  const durationMs = context.clock.monotonicMs() - beganMs;
  const outcome = ({ subject, found, status }: Difference): CheckOutcome => ({
    subject: `facts: ${subject}`,
    kind: "facts",
    component: context.component,
    status,
    found,
    durationMs: 0,
  });
  const outcomes = differences.map(outcome);
  if (outcomes.some(({ status }) => status === "failed")) return outcomes;
  const tables = formatAmount(facts.counts["tables"] ?? 0, "tables");
  const rows = formatAmount(facts.counts["rows"] ?? 0, "rows");
  const passed: CheckOutcome = {
    subject: "facts: tables, rows, sequences, schema",
    kind: "facts",
    component: context.component,
    status: "passed",
    found: `${tables} and ${rows} as captured`,
    durationMs,
  };
  return [...outcomes, passed];
};
