/**
 * Views, routines, triggers and events of a database: read as statements, made again in another one. Triggers are put together from their
 * parts, since the server keeps their statements as they were typed, perhaps with the name of the live database in them.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import type { CodeObject, KeptCode } from "./marker-table.ts";
import { type Row, type SqlAccess, runSql, textOf } from "./sql-client.ts";
import { triggerBody } from "./trigger-body.ts";
import { inDatabase, quoteAccount, quoteName, quoteText } from "./sql-text.ts";

type Listed = { readonly kind: CodeObject["kind"]; readonly name: string; readonly row: Row };

const triggersSql = (database: string, table: string | null): string => `
    SELECT 'TRIGGER' AS kind, TRIGGER_NAME AS name, EVENT_MANIPULATION AS event, ACTION_TIMING AS timing,
           EVENT_OBJECT_TABLE AS tbl, DEFINER AS definer
      FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${quoteText(database)}
           ${table === null ? "" : `AND EVENT_OBJECT_TABLE = ${quoteText(table)}`}
     ORDER BY EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER;`;

const listSql = (database: string): string => {
  const of = quoteText(database);
  return `
    SELECT ROUTINE_TYPE AS kind, ROUTINE_NAME AS name FROM information_schema.ROUTINES
     WHERE ROUTINE_SCHEMA = ${of}
     ORDER BY FIELD(ROUTINE_TYPE, 'PACKAGE', 'PACKAGE BODY', 'FUNCTION', 'PROCEDURE'), ROUTINE_NAME;
    SELECT 'VIEW' AS kind, TABLE_NAME AS name, TABLE_COMMENT AS comment, TABLE_ROWS AS opened FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = ${of} AND TABLE_TYPE = 'VIEW' ORDER BY 2;
    ${triggersSql(database, null)}
    SELECT 'EVENT' AS kind, EVENT_NAME AS name, STATUS AS status FROM information_schema.EVENTS
     WHERE EVENT_SCHEMA = ${of} ORDER BY 2;`;
};

const statementColumn: Readonly<Record<CodeObject["kind"], string>> = {
  FUNCTION: "Create Function",
  PROCEDURE: "Create Procedure",
  PACKAGE: "Create Package",
  "PACKAGE BODY": "Create Package Body",
  VIEW: "Create View",
  TRIGGER: "SQL Original Statement",
  EVENT: "Create Event",
};

const triggerStatement = ({ name, row }: Listed, original: string, sqlMode: string): string => {
  const body = triggerBody(original, sqlMode);
  if (body === null)
    throw new RefloatError("source.unsupported", `the body of the trigger ${name} cannot be read as it is`);
  const when = `${textOf(row, "timing")} ${textOf(row, "event")} ON ${quoteName(textOf(row, "tbl"))}`;
  return `CREATE DEFINER=${quoteAccount(textOf(row, "definer"))} TRIGGER ${quoteName(name)} ${when} FOR EACH ROW ${body}`;
};

const triggerPattern =
  /^(?<begin>CREATE DEFINER=`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)? TRIGGER `(?:[^`]|``)+` \w+ \w+ ON )(?<table>`(?:[^`]|``)+`)(?<rest> FOR EACH ROW [^]*)$/;

/** As it is made on a table of another name. Null for a trigger of another table than the first one. */
export const triggerOn = ({ kind, statement }: CodeObject, table: string, other: string): string | null => {
  const { begin, table: own, rest } = (kind === "TRIGGER" ? triggerPattern.exec(statement) : null)?.groups ?? {};
  return own === quoteName(table) ? `${begin ?? ""}${quoteName(other)}${rest ?? ""}` : null;
};

const statusPattern = /( ON COMPLETION (?:NOT )?PRESERVE) (?:ENABLE|DISABLE ON SLAVE|DISABLE)\b/;

const codeObject = (listed: Listed, shown: Row | undefined): CodeObject => {
  const { kind, name, row } = listed;
  const original = shown?.[statementColumn[kind]] ?? null;
  if (original === null) {
    throw new RefloatError("source.denied", `the definition of ${kind.toLowerCase()} ${name} may not be read`, {
      hint: "refloat validate --live prints the GRANTs that are needed",
    });
  }
  return {
    kind,
    name,
    statement:
      kind === "TRIGGER"
        ? triggerStatement(listed, original, textOf(shown, "sql_mode"))
        : kind === "EVENT"
          ? original.replace(statusPattern, "$1 DISABLE")
          : original,
    sqlMode: textOf(shown, "sql_mode"),
    charset: textOf(shown, "character_set_client"),
    collation: textOf(shown, "collation_connection"),
    // The server's catalog has the error in place of the comment, where it had to open the view: for its rows.
    ...(kind === "VIEW" && textOf(row, "comment") !== "VIEW" ? { isBroken: true } : {}),
    ...(kind === "EVENT"
      ? { timeZone: textOf(shown, "time_zone"), isEnabled: textOf(row, "status") === "ENABLED" }
      : {}),
  };
};

const isView = ({ kind }: CodeObject): boolean => kind === "VIEW";
const isLate = ({ kind }: CodeObject): boolean => kind === "TRIGGER" || kind === "EVENT";

/** Views after those that they name. A name may stand for something else, so this is a good guess. */
const orderViews = (views: readonly CodeObject[]): readonly CodeObject[] => {
  const ordered: CodeObject[] = [];
  const isSeen = new Set<string>();
  const visit = (view: CodeObject): void => {
    if (isSeen.has(view.name)) return;
    isSeen.add(view.name);
    for (const other of views) if (view.statement.includes(quoteName(other.name))) visit(other);
    ordered.push(view);
  };
  for (const view of views) visit(view);
  return ordered;
};

/** In an order in which they can be made. Events are written disabled, and how they were is said. */
export const readCode = (access: SqlAccess, database: string): Promise<KeptCode> =>
  readListed(access, database, listSql(database));

/** Of one table. */
export const readTriggers = (access: SqlAccess, database: string, table: string): Promise<KeptCode> =>
  readListed(access, database, triggersSql(database, table));

const readListed = async (access: SqlAccess, database: string, list: string): Promise<KeptCode> => {
  const listed = (await runSql(access, list)).flat().map((row): Listed => ({
    kind: textOf(row, "kind") as CodeObject["kind"],
    name: textOf(row, "name"),
    row,
  }));
  if (listed.length === 0) return { database, objects: [] };
  const show = listed.map(({ kind, name }) => `SHOW CREATE ${kind} ${quoteName(name)};`).join("\n");
  const shown = await runSql(access, show, database);
  const objects = listed.map((one, index) => codeObject(one, shown[index]?.[0]));
  return {
    database,
    objects: [
      ...objects.filter((one) => !isView(one) && !isLate(one)),
      ...orderViews(objects.filter(isView)),
      ...objects.filter(isLate),
    ],
  };
};

/** A view that also reads another database names its own as well: text in quotes is left as it is. */
const inOtherDatabase = (statement: string, from: string, to: string): string => {
  const prefix = `${quoteName(from)}.`;
  return statement.replaceAll(/'(?:[^'\\]|\\.|'')*'|`(?:[^`]|``)*`\./g, (found) =>
    found === prefix ? `${quoteName(to)}.` : found,
  );
};

/** The session in which an object was made: the server keeps it with the object, and takes the one of whoever makes or alters it. */
type OwnSession = {
  readonly charset: string;
  readonly collation: string;
  readonly sqlMode: string;
  readonly timeZone?: string | undefined;
};

/** As `sessionBegin` has them. */
const sameSession = "SET SESSION sql_mode = '', time_zone = '+00:00';\nSET NAMES utf8mb4;\n";

/**
 * Runs one statement as from that session. Its text comes in ours, and is read by the server in that one.
 * @param spell a text as SQL: by digits, unless people are to read it
 */
export const inOwnSession = (
  statement: string,
  { charset, collation, sqlMode, timeZone = "" }: OwnSession,
  spell: (text: string) => string = quoteText,
): string => {
  const settings = [
    `SET SESSION time_zone = ${quoteText(timeZone === "" ? "SYSTEM" : timeZone)}`,
    `SET SESSION character_set_client = ${charset === "" ? "utf8mb4" : charset}`,
    `SET SESSION collation_connection = ${collation === "" ? "utf8mb4_general_ci" : collation}`,
    `SET SESSION sql_mode = '${sqlMode.replaceAll(/[^\w,]/g, "")}'`,
  ];
  return [
    `SET @refloat_text = ${spell(statement)};\n`,
    ...settings.map((setting) => `${setting};\n`),
    "EXECUTE IMMEDIATE @refloat_text;\n",
    sameSession,
  ].join("");
};

/**
 * What runs it, or stops it. The server would make the user that alters it the definer, and that user's session the one in which it was made: named and set is what it has,
 * or it would run with other rights, and read its own text in another character set, from then on.
 */
export const alterEventSql = (
  event: OwnSession & { /** Quoted. */ readonly definer: string; readonly name: string; readonly database: string },
  state: "ENABLE" | "DISABLE" | "DISABLE ON SLAVE",
): string =>
  inOwnSession(`ALTER DEFINER = ${event.definer} EVENT ${inDatabase(event.database, event.name)} ${state}`, event);

const eventDefiner = ({ statement }: CodeObject): string =>
  /^CREATE DEFINER=(?<definer>`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)?) EVENT /.exec(statement)?.groups?.["definer"] ??
  "CURRENT_USER";

const creation = (object: CodeObject, from: string, to: string, isArmed: boolean): string => {
  const text = object.kind === "VIEW" ? inOtherDatabase(object.statement, from, to) : object.statement;
  // A moment before all others: what is to happen once, at a time that has passed, is an event all the same, which is off.
  const early = object.kind === "EVENT" ? "SET SESSION timestamp = 86400;\n" : "";
  return [
    early,
    inOwnSession(text.replace(/^CREATE /, "CREATE OR REPLACE "), object),
    early === "" ? "" : "SET SESSION timestamp = DEFAULT;\n",
    isArmed ? alterEventSql({ ...object, database: to, definer: eventDefiner(object) }, "ENABLE") : "",
  ].join("");
};

/**
 * Makes all of them, in place of those of the same names. Views whose order was not told by their text find it by being tried.
 * @param armed names of events that are to run; all others are made disabled
 */
export const createCode = async (
  access: SqlAccess,
  { database: from, objects }: KeptCode,
  to: string,
  armed: ReadonlySet<string> = new Set(),
): Promise<void> => {
  const { signal } = access;
  const make = (some: readonly CodeObject[]): Promise<unknown> =>
    some.length === 0
      ? Promise.resolve()
      : runSql(
          access,
          some.map((one) => creation(one, from, to, one.kind === "EVENT" && armed.has(one.name))).join(""),
          to,
        );
  const broken = objects.filter(({ isBroken }) => isBroken === true);
  const sound = objects.filter(({ isBroken }) => isBroken !== true);
  const isMade = await make(sound).then(
    () => true,
    (error: unknown) => {
      // Only views may stand in a wrong order.
      if (!(error instanceof RefloatError) || !sound.some(isView)) throw error;
      return false;
    },
  );
  if (!isMade) {
    await make(sound.filter((one) => !isView(one) && !isLate(one)));
    await createViews(sound.filter(isView), make);
    await make(sound.filter(isLate));
  }
  for (const view of broken) {
    await make([view]).catch((error: unknown) => {
      // It was of no use where it was read, and stops nothing here.
      if (!(error instanceof RefloatError)) throw error;
      signal.throwIfAborted();
    });
  }
};

const createViews = async (
  views: readonly CodeObject[],
  make: (some: readonly CodeObject[]) => Promise<unknown>,
): Promise<void> => {
  let left = views;
  while (left.length > 0) {
    const failed: CodeObject[] = [];
    let reason: unknown;
    for (const view of left) {
      try {
        await make([view]);
      } catch (error) {
        if (!(error instanceof RefloatError)) throw error;
        failed.push(view);
        reason = error;
      }
    }
    if (failed.length === left.length) throw reason;
    left = failed;
  }
};

const dropSql = (objects: readonly CodeObject[]): string =>
  objects.map(({ kind, name }) => `DROP ${kind} IF EXISTS ${quoteName(name)};\n`).join("");

/** Equal where making it again would change nothing. */
const likeness = (object: CodeObject, from: string, to: string, isArmed: boolean): string =>
  JSON.stringify({
    ...object,
    statement: object.kind === "VIEW" ? inOtherDatabase(object.statement, from, to) : object.statement,
    isEnabled: object.kind === "EVENT" && isArmed,
  });

/**
 * Makes the code of a database what is kept of it, no more and no less. What is there already stays as it is, with the rights that were given
 * to it.
 */
export const replaceCode = async (
  access: SqlAccess,
  kept: KeptCode,
  database: string,
  armed: ReadonlySet<string>,
): Promise<void> => {
  const { objects } = await readCode(access, database);
  const keyOf = ({ kind, name }: CodeObject): string => `${kind} ${name}`;
  const wanted = new Map(
    kept.objects.map((one) => [keyOf(one), likeness(one, kept.database, database, armed.has(one.name))]),
  );
  const present = new Map(
    objects.map((one) => [keyOf(one), likeness(one, database, database, one.isEnabled === true)]),
  );
  const extra = objects.filter((one) => !wanted.has(keyOf(one)));
  if (extra.length > 0) await runSql(access, dropSql(extra), database);
  const missing = kept.objects.filter((one) => present.get(keyOf(one)) !== wanted.get(keyOf(one)));
  await createCode(access, { ...kept, objects: missing }, database, armed);
};

/** When an event runs, as its statement says: `EVERY 1 DAY STARTS '2026-01-01 03:00:00'`. */
export const scheduleOf = ({ objects }: KeptCode, event: string): string =>
  scheduleIn(objects.find(({ kind, name }) => kind === "EVENT" && name === event)?.statement ?? "");

/** The same, of a statement as SHOW CREATE EVENT gives it. */
export const scheduleIn = (statement: string): string =>
  / ON SCHEDULE (?<when>.+?) ON COMPLETION /s.exec(statement)?.groups?.["when"] ?? "at times that are not known";

/** What keeps tables from being renamed into another database, and what would act on them meanwhile. */
export const standStillSql = (database: string, { objects }: KeptCode): string =>
  objects
    .flatMap((object) => {
      const { kind, name, isEnabled } = object;
      return kind === "TRIGGER"
        ? [`DROP TRIGGER IF EXISTS ${quoteName(database)}.${quoteName(name)};\n`]
        : kind === "EVENT" && isEnabled === true
          ? [alterEventSql({ ...object, database, definer: eventDefiner(object) }, "DISABLE")]
          : [];
    })
    .join("");

/** For a person with the stock client: all of it, as statements. Events are disabled. */
export const codeScript = ({ objects }: KeptCode): string => {
  const delimiter = ";;refloat;;";
  const sound = objects.filter(({ isBroken }) => isBroken !== true);
  const all = sound.map(
    ({ statement, sqlMode, charset, collation }) =>
      `SET SESSION sql_mode = '${sqlMode}', character_set_client = ${charset}, collation_connection = ${collation}${delimiter}\n${statement}\n${delimiter}\n`,
  );
  return `-- Views, routines, triggers and events; events are disabled.\nDELIMITER ${delimiter}\n${all.join("")}DELIMITER ;\n`;
};
