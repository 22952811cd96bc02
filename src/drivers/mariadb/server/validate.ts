/** Holds a restored server against the facts of its point: its databases, that each table lets itself be opened, and that nothing in it acts. */
import { beginFacts } from "../../../core/components/fact-outcomes.ts";
import type { InstanceOperations } from "../../../core/ports/driver.ts";
import { formatAmount } from "../../../core/text/quantity.ts";
import { locateInstance } from "../../../platform/path-instance.ts";
import { placeAt } from "../binlog-line.ts";
import { type Row, type SqlAccess, numberOf, runSql, textOf } from "../sql-client.ts";
import { type CapturedServer, capturedServerSchema } from "./captured-server.ts";
import { accessAt } from "./locations.ts";
import { type ServerOptions, dataPathOf } from "./server-options.ts";

/** Only who is asked when a table was made opens it. What cannot be opened has no version, and says why in place of its comment. */
const questions = `
SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA;
SELECT COUNT(*) AS found FROM information_schema.TABLES WHERE TABLE_TYPE <> 'SYSTEM VIEW';
SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name, COALESCE(TABLE_COMMENT, '') AS why, CREATE_TIME AS made
  FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND VERSION IS NULL;`;

const eventsSql = `SELECT @@event_scheduler AS scheduler, (SELECT COUNT(*) FROM mysql.event WHERE status = 'ENABLED') AS enabled;`;

/** What its engine is kept from, or this machine has not, until it is switched. */
const lacksEngine = (row: Row): boolean => /Unknown storage engine/i.test(textOf(row, "why"));

const namesShown = 3;
const listed = (names: readonly string[]): string =>
  `${names.slice(0, namesShown).join(", ")}${names.length > namesShown ? ` and ${names.length - namesShown} more` : ""}`;

type Found = {
  readonly databases: readonly string[];
  readonly tables: number;
  readonly unreadable: readonly Row[];
};

const ask = async (access: SqlAccess): Promise<Found> => {
  const [schemas = [], counts = [], unreadable = []] = (await runSql(access, questions)).slice(-3);
  return {
    databases: schemas.map((row) => textOf(row, "name")),
    tables: numberOf(counts[0], "found"),
    unreadable,
  };
};

const differences = (captured: CapturedServer, found: Found, isGoneOn: boolean): readonly string[] => {
  const names = new Set(found.databases);
  const known = new Set([...captured.databases, "information_schema", "performance_schema"]);
  const missing = captured.databases.filter((name) => !names.has(name) && name !== "performance_schema");
  const more = found.databases.filter((name) => !known.has(name));
  const broken = found.unreadable.filter((row) => !lacksEngine(row));
  return [
    ...(missing.length === 0 || isGoneOn ? [] : [`databases are missing: ${listed(missing)}`]),
    ...(more.length === 0 || isGoneOn ? [] : [`databases that were not captured: ${listed(more)}`]),
    ...(broken.length === 0
      ? []
      : [`tables cannot be opened: ${listed(broken.map((row) => `${textOf(row, "name")} (${textOf(row, "why")})`))}`]),
  ];
};

export const validateServer: InstanceOperations<ServerOptions>["validate"] = async (context, target, facts, replay) => {
  const outcome = beginFacts(context);
  const captured = capturedServerSchema.parse(facts.detail);
  const located = await locateInstance(await dataPathOf(context), target);
  const serves = located.presence === "done" && located.serves;
  const place = await accessAt(context, serves ? null : target.name);
  if (place.kind === "stopped") return [outcome("failed", "server", `nothing serves ${place.folder}`)];
  const found = await ask(place.access);
  const failed = differences(captured, found, replay !== undefined).map((text) => outcome("failed", "server", text));
  // Behind the stable name people may have armed it.
  if (!serves) {
    const [row] = (await runSql(place.access, eventsSql)).at(-1) ?? [];
    if (textOf(row, "scheduler") === "ON" || numberOf(row, "enabled") > 0)
      failed.push(outcome("failed", "events", "events run in it, which would act on what is live"));
  }
  if (failed.length > 0) return failed;
  const lacking = found.unreadable.filter(lacksEngine).map((row) => textOf(row, "name"));
  const as =
    replay === undefined
      ? "as captured"
      : `as of file ${placeAt(replay.to).number} at ${placeAt(replay.to).offset} of its log (which of them there are is not compared)`;
  const said = `${formatAmount(found.databases.length, "databases")} ${as}, ${formatAmount(found.tables, "tables and views")} open`;
  return [
    outcome("passed", "databases, tables, events", said),
    ...(lacking.length === 0
      ? []
      : [
          outcome(
            "passed",
            "engines",
            `${listed(lacking)} not looked at: rows lie elsewhere, or by an engine that is off in a restored server`,
          ),
        ]),
  ];
};
