/**
 * How a database says whose it is: a table of ours in it, with no rows while all is settled. Its name holds the identity, so that a RENAME
 * TABLE which names it moves nothing unless the database is the one that was meant. Its comment says by which run it was restored; while a
 * switch is under way its rows hold what cannot be renamed.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { InstanceTarget } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type SqlAccess, askSql, numberOf, runSql, textOf } from "./sql-client.ts";
import { inDatabase, plainLiteral, quoteName, quoteText } from "./sql-text.ts";

const namePattern = /^refloat_mark_([0-9a-f]{16})$/;

export const markerName = (id: string): string => `refloat_mark_${id}`;

export const isMarkerName = (name: string): boolean => namePattern.test(name);

/** Which run restored it, as its comment says; null for a side that was live before any run. */
export type Mark = { readonly run: number; readonly runUid: string } | null;

export type MarkedDatabase = {
  readonly id: string;
  readonly mark: Mark;
};

const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** Of what a run restores; the same for each attempt. */
export const instanceId = ({ name, runUid }: Pick<InstanceTarget, "name" | "runUid">): string =>
  shortHash(`${runUid}/${name}`);

const markText = (mark: Mark): string =>
  mark === null ? "refloat: the side that was live" : `refloat run=${mark.run} uid=${mark.runUid}`;

const readMark = (comment: string): Mark => {
  const match = /^refloat run=(\d+) uid=([\w-]+)$/.exec(comment);
  return match === null ? null : { run: Number(match[1]), runUid: match[2] ?? "" };
};

const createSql = (table: string, mark: Mark): string =>
  `CREATE TABLE IF NOT EXISTS ${table} (
     place INT NOT NULL PRIMARY KEY, kind VARCHAR(20) NOT NULL, content LONGTEXT NOT NULL
   ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT=${plainLiteral(markText(mark))};\n`;

export const createMarkerSql = (database: string, id: string, mark: Mark): string =>
  createSql(inDatabase(database, markerName(id)), mark);

/** With all that it says from the moment in which it is there: with it the database is whole. */
export const createFilledMarkerSql = (
  database: string,
  id: string,
  mark: Mark,
  { replayed, off }: { readonly replayed: Replayed | null; readonly off: readonly OffEvent[] },
): string => {
  const making = inDatabase(database, `refloat_making_${id}`);
  const row = (place: number, kind: string, content: object): string =>
    `REPLACE INTO ${making} VALUES (${place}, ${plainLiteral(kind)}, ${quoteText(JSON.stringify(content))});\n`;
  return [
    createSql(making, mark),
    replayed === null ? "" : row(places.replayed, "replayed", replayed),
    off.length === 0 ? "" : row(places.off, "off", off),
    `RENAME TABLE ${making} TO ${inDatabase(database, markerName(id))};\n`,
  ].join("");
};

/** All that can be known of a database from outside. */
export type DatabaseState = {
  readonly name: string;
  readonly comment: string;
  readonly charset: string;
  readonly collation: string;
  readonly marked: MarkedDatabase | null;
  /** Of the tables without our own. */
  readonly tables: number;
  /** Says what tables there are and since when: it changes by any CREATE, ALTER or DROP. */
  readonly fingerprint: string;
  /** Name of a table to when it was made or altered last. */
  readonly madeAt: ReadonlyMap<string, string>;
  /** Has one of them a time that is not over yet, since the server tells it to the second? */
  readonly isJustMade: boolean;
};

/** @throws RefloatError cutover.conflict for a database with the marks of two sides */
export const readDatabases = async (
  access: SqlAccess,
  names: readonly string[],
): Promise<ReadonlyMap<string, DatabaseState>> => {
  const list = names.map(quoteText).join(", ");
  const [schemata = [], tables = []] = await runSql(
    access,
    `SELECT SCHEMA_NAME AS name, SCHEMA_COMMENT AS comment, DEFAULT_CHARACTER_SET_NAME AS charset,
            DEFAULT_COLLATION_NAME AS collation
       FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (${list});
     SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name, TABLE_COMMENT AS comment, CREATE_TIME AS made, TABLE_TYPE AS type,
            COALESCE(CREATE_TIME BETWEEN NOW(6) - INTERVAL 1100000 MICROSECOND AND NOW(6) + INTERVAL 1 HOUR, 0) AS young
       FROM information_schema.TABLES WHERE TABLE_SCHEMA IN (${list}) ORDER BY 1, 2;`,
  );
  return new Map(
    schemata.map((schema) => {
      const name = textOf(schema, "name");
      const own = tables.filter((table) => textOf(table, "db") === name);
      const marks = own.filter((table) => isMarkerName(textOf(table, "name")));
      if (marks.length > 1) {
        throw new RefloatError("cutover.conflict", `the database ${name} bears the marks of two sides`, {
          hint: `one of ${marks.map((mark) => textOf(mark, "name")).join(", ")} was copied there; drop it by hand`,
        });
      }
      const [mark] = marks;
      const others = own.filter((table) => !isMarkerName(textOf(table, "name")) && textOf(table, "type") !== "VIEW");
      return [
        name,
        {
          name,
          comment: textOf(schema, "comment"),
          charset: textOf(schema, "charset"),
          collation: textOf(schema, "collation"),
          tables: others.length,
          madeAt: new Map(others.map((table) => [textOf(table, "name"), textOf(table, "made")])),
          isJustMade: others.some((table) => numberOf(table, "young") === 1),
          fingerprint: shortHash(
            `${name}\n${others.map((table) => `${textOf(table, "name")} ${textOf(table, "made")}`).join("\n")}`,
          ),
          marked:
            mark === undefined
              ? null
              : {
                  id: namePattern.exec(textOf(mark, "name"))?.[1] ?? "",
                  mark: readMark(textOf(mark, "comment")),
                },
        },
      ];
    }),
  );
};

/** Something that is part of a database and cannot be renamed into another one. */
const codeObjectSchema = z.object({
  kind: z.enum(["FUNCTION", "PROCEDURE", "PACKAGE", "PACKAGE BODY", "VIEW", "TRIGGER", "EVENT"]),
  name: z.string(),
  /** A whole CREATE statement, with a definer and without the name of the database before its own. */
  statement: z.string(),
  sqlMode: z.string(),
  charset: z.string(),
  collation: z.string(),
  /** Of an event. */
  timeZone: z.string().optional(),
  /** Of an event: the server runs it. */
  isEnabled: z.boolean().optional(),
  /** Of a view: it names what is not there, or what its definer may not read. */
  isBroken: z.boolean().optional(),
});
export type CodeObject = z.infer<typeof codeObjectSchema>;

const keptSchema = z.object({
  /** The database that the statements were read from: a view may name it. */
  database: z.string(),
  objects: z.array(codeObjectSchema),
});
export type KeptCode = z.infer<typeof keptSchema>;

/** What a side has beside its tables. */
const keptSideSchema = keptSchema.extend({ charset: z.string(), collation: z.string() });
export type KeptSide = z.infer<typeof keptSideSchema>;

/** @throws RefloatError point.damaged */
export const readKeptCode = (text: string): KeptCode => {
  try {
    return keptSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new RefloatError("point.damaged", "the definitions of views, routines, triggers and events cannot be read", {
      cause: error,
    });
  }
};

/** What a marker's rows say. */
export type MarkerRows = {
  /** A switch that has not come to its end: what the side has to get back. */
  readonly pending: KeptSide | null;
  /** Events that ran when it was the live side. */
  readonly armed: readonly string[];
  /** Events that ran where it was captured, and wait to be armed. */
  readonly off: readonly OffEvent[];
};

const armedSchema = z.array(z.string());

const offEventSchema = z.object({ name: z.string(), schedule: z.string() });
/** `schedule`: `EVERY 1 DAY STARTS '2026-01-01 03:00:00'`. */
export type OffEvent = z.infer<typeof offEventSchema>;

/** Of a row, by what it says. */
const places = { code: 1, armed: 2, replayed: 3, off: 4 } as const;

export const readMarkerRows = async (access: SqlAccess, database: string, id: string): Promise<MarkerRows> => {
  const rows = await askSql(
    access,
    `SELECT place, kind, content FROM ${inDatabase(database, markerName(id))} ORDER BY place;`,
  );
  const contentOf = (kind: string): unknown => {
    const row = rows.find((one) => textOf(one, "kind") === kind && numberOf(one, "place") > 0);
    return row === undefined ? null : JSON.parse(textOf(row, "content"));
  };
  const pending = contentOf("code");
  return {
    pending: pending === null ? null : keptSideSchema.parse(pending),
    armed: armedSchema.parse(contentOf("armed") ?? []),
    off: z.array(offEventSchema).parse(contentOf("off") ?? []),
  };
};

/** Replaces all rows, in one transaction. */
export const writeMarkerRowsSql = (database: string, id: string, { pending, armed, off }: MarkerRows): string => {
  const table = inDatabase(database, markerName(id));
  const rows: readonly (readonly [number, string, string])[] = [
    ...(pending === null ? [] : [[places.code, "code", JSON.stringify(pending)] as const]),
    ...(armed.length === 0 ? [] : [[places.armed, "armed", JSON.stringify(armed)] as const]),
    ...(off.length === 0 ? [] : [[places.off, "off", JSON.stringify(off)] as const]),
  ];
  const values = rows.map(([place, kind, content]) => `(${place}, ${plainLiteral(kind)}, ${quoteText(content)})`);
  const insert = values.length === 0 ? "" : `INSERT INTO ${table} VALUES ${values.join(", ")};\n`;
  return `START TRANSACTION;\nDELETE FROM ${table};\n${insert}COMMIT;\n`;
};

const replayedSchema = z.object({
  /** Tables whose rows the log may have changed. */
  tables: z.array(z.string()),
  /** Definitions that it has changed. */
  statements: z.int(),
});
/** What the log did to a restored database after its point. */
export type Replayed = z.infer<typeof replayedSchema>;

/** Null of one that the log has not changed, or that was switched. */
export const readReplayed = async (access: SqlAccess, database: string, id: string): Promise<Replayed | null> => {
  const [row] = await askSql(
    access,
    `SELECT content FROM ${inDatabase(database, markerName(id))} WHERE kind = 'replayed';`,
  );
  return row === undefined ? null : replayedSchema.parse(JSON.parse(textOf(row, "content")));
};

/** The comment of a database that is being restored: there from the moment in which it is made. */
export const creationComment = ({ run, runUid }: InstanceTarget): string => `refloat run=${run} uid=${runUid}`;

export const createDatabaseSql = (name: string, charset: string, collation: string, comment: string): string =>
  `CREATE DATABASE ${quoteName(name)} CHARACTER SET ${charset} COLLATE ${collation} COMMENT ${plainLiteral(comment)};\n`;
