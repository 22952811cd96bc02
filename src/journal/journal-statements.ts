/** All SQL of the journal, each statement prepared once and named for what it does, and the mapping of rows to records. */
import type { SQLOutputValue, StatementSync } from "node:sqlite";
import type { JsonObject } from "../model/json.ts";
import type { RunRecord, StepRecord } from "../model/run.ts";
import type { Database } from "../platform/sqlite.ts";

type Row = Record<string, SQLOutputValue>;

export type RunWithoutSteps = Omit<RunRecord, "steps">;

/** A run, and the number that all which it made bears: another one than its own in a copy that found its number taken. */
export type StoredRun = { readonly run: RunWithoutSteps; readonly madeAs: number };

const insertInto = (table: string, columns: readonly string[]): string =>
  `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map((column) => `$${column}`).join(", ")})`;

const runColumns = [
  "number",
  "uid",
  "made_as",
  "service",
  "purpose",
  "digest",
  "state",
  "direction",
  "message",
  "epoch",
  "began_at",
  "ended_at",
  "incident_at",
  "joint",
];

const stepColumns = [
  "run",
  "id",
  "position",
  "state",
  "attempt",
  "intent",
  "output",
  "error",
  "began_at",
  "ended_at",
  "duration_ms",
];

export type JournalStatements = Readonly<Record<keyof ReturnType<typeof sql>, StatementSync>>;

const sql = () => ({
  nextRunNumber: "SELECT coalesce(max(number), 0) + 1 AS number FROM run",
  insertRun: insertInto("run", runColumns),
  updateRun: `UPDATE run SET state = $state, direction = $direction, message = $message, epoch = $epoch, ended_at = $ended_at
    WHERE number = $number`,
  readRun: "SELECT * FROM run WHERE number = ?",
  readRunByUid: "SELECT * FROM run WHERE uid = ?",
  listRuns: "SELECT * FROM run WHERE ?1 IS NULL OR service = ?1 ORDER BY number DESC",
  deleteRun: "DELETE FROM run WHERE number = ?",
  insertRunPlan: "INSERT INTO run_plan (run, document) VALUES (?, ?)",
  updateRunPlan: "UPDATE run_plan SET document = ? WHERE run = ?",
  updateRunDigest: "UPDATE run SET digest = ? WHERE number = ?",
  readRunPlan: "SELECT document FROM run_plan WHERE run = ?",
  deleteRunPlan: "DELETE FROM run_plan WHERE run = ?",
  insertStep: insertInto("step", stepColumns),
  updateStep: `UPDATE step SET state = $state, attempt = $attempt, intent = $intent, output = $output, error = $error,
    began_at = $began_at, ended_at = $ended_at, duration_ms = $duration_ms WHERE run = $run AND id = $id`,
  readStep: "SELECT * FROM step WHERE run = ? AND id = ?",
  readSteps: "SELECT * FROM step WHERE run = ? ORDER BY position",
  deleteSteps: "DELETE FROM step WHERE run = ?",
  insertEvent: "INSERT INTO event (run, sequence, document, hash) VALUES (?, ?, ?, ?)",
  readLastEvent: "SELECT sequence, hash FROM event WHERE run = ? ORDER BY sequence DESC LIMIT 1",
  readEvents: "SELECT sequence, document, hash FROM event WHERE run = ? AND sequence > ? ORDER BY sequence",
  deleteEvents: "DELETE FROM event WHERE run = ?",
  forgetPlan: "DELETE FROM shown_plan WHERE digest = ?",
  insertPlan: "INSERT INTO shown_plan (digest, document) VALUES (?, ?)",
  forgetOldPlans: `DELETE FROM shown_plan WHERE position <= (
    SELECT position FROM shown_plan ORDER BY position DESC LIMIT 1 OFFSET ?)`,
  // A digest is hex, so neither of LIKE's wildcards can be in a prefix that was validated.
  findPlans: "SELECT digest, document FROM shown_plan WHERE digest LIKE ? || '%' LIMIT 2",
});

export const prepareStatements = (database: Database): JournalStatements =>
  Object.fromEntries(
    Object.entries(sql()).map(([name, text]) => [name, database.prepare(text)]),
  ) as unknown as JournalStatements;

const jsonOrNull = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

const parseOrNull = (value: SQLOutputValue | undefined): unknown =>
  typeof value === "string" ? JSON.parse(value) : null;

export const runRow = ({ run, madeAs }: StoredRun) => ({
  uid: run.uid,
  made_as: madeAs,
  service: run.service,
  purpose: run.purpose,
  digest: run.digest,
  ...runChanges(run),
  began_at: run.beganAt,
  incident_at: run.incidentAt,
  joint: jsonOrNull(run.joint ?? null),
});

/** The columns that `updateRun` sets, and its key. */
export const runChanges = (run: RunWithoutSteps) => ({
  number: run.number,
  state: run.state,
  direction: run.direction,
  message: run.message,
  epoch: run.epoch,
  ended_at: run.endedAt,
});

export const readRunRow = (row: Row): StoredRun => ({
  run: {
    number: row["number"],
    uid: row["uid"],
    service: row["service"],
    purpose: row["purpose"],
    digest: row["digest"],
    state: row["state"],
    direction: row["direction"],
    message: row["message"],
    epoch: row["epoch"],
    beganAt: row["began_at"],
    endedAt: row["ended_at"],
    incidentAt: row["incident_at"],
    ...(row["joint"] == null ? {} : { joint: parseOrNull(row["joint"]) }),
  } as RunWithoutSteps,
  madeAs: Number(row["made_as"]),
});

export const stepRow = (run: number, position: number, step: StepRecord) => ({ position, ...stepChanges(run, step) });

/** The columns that `updateStep` sets, and its key. */
export const stepChanges = (run: number, step: StepRecord) => ({
  run,
  id: step.id,
  state: step.state,
  attempt: step.attempt,
  intent: jsonOrNull(step.intent),
  output: jsonOrNull(step.output),
  error: jsonOrNull(step.error),
  began_at: step.beganAt,
  ended_at: step.endedAt,
  duration_ms: step.durationMs,
});

export const readStepRow = (row: Row): StepRecord =>
  ({
    id: row["id"],
    state: row["state"],
    attempt: row["attempt"],
    intent: parseOrNull(row["intent"]) as JsonObject | null,
    output: parseOrNull(row["output"]) as JsonObject | null,
    error: parseOrNull(row["error"]),
    beganAt: row["began_at"],
    endedAt: row["ended_at"],
    durationMs: row["duration_ms"],
  }) as StepRecord;
