/**
 * The script that makes dropped tables again, and the one that drops them: no statement of MariaDB that makes or drops a table can be taken back, so each table is made and
 * filled under a name of our own, which nobody asks for, and the last statement gives all of them their names. Before that nothing that is live has changed.
 */
import type { ScriptParts } from "../../../core/mend/write-script.ts";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { ScriptPiece } from "../../../core/ports/row-stage.ts";
import { inOwnSession, triggerOn } from "../code-objects.ts";
import { insertsInto } from "../dumped-table.ts";
import { inDatabase, quoteName } from "../sql-text.ts";
import { type MadeRows, digestSql, orphansSql } from "./made-rows.ts";
import { comment, signal } from "./script-parts.ts";
import { quoteLine } from "./value-sql.ts";

/** The last word of the script: without it no table gets its name, or loses it. What it does was set before, as text. */
export const lastStep = "EXECUTE IMMEDIATE @refloat_last;\n";

const how =
  "All or nothing: what is live changes in the last statement alone. For the stock client: mariadb DATABASE < FILE";

const refuse = (message: string): string => signal(quoteLine(`refloat: ${message}; nothing was changed`));

const block = (lines: readonly string[]): string =>
  `DELIMITER $$\nBEGIN NOT ATOMIC\n${lines.map((line) => `  ${line}\n`).join("")}END $$\nDELIMITER ;\n`;

/** A zero is no number to be given out, a date may be one that there is not, and no other engine is taken than the table's. */
const modes = "sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'";

const settings = `SET NAMES utf8mb4;
SET SESSION ${modes}, time_zone = '+00:00', foreign_key_checks = 0,
    unique_checks = 0, innodb_lock_wait_timeout = 10, lock_wait_timeout = 10;
`;

/** Names that differ by the case of a letter may be two tables. */
const isThereSql = (label: string): string =>
  `EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = BINARY ${quoteLine(label)})`;

const creation = ({ privately, table: { label, definition } }: MadeRows): string => {
  const name = quoteName(privately);
  return [
    comment(`${label}: it was dropped. It is made under a name of its own, which a session holds until it ends`),
    block([
      `IF COALESCE(GET_LOCK(${quoteLine(privately)}, 0), 0) <> 1 THEN ${refuse("another session runs this script")} END IF;`,
      `IF ${isThereSql(label)} THEN ${refuse(`${label} is there again`)} END IF;`,
    ]),
    comment("what this script has left when it was ended in the middle"),
    `DROP TABLE IF EXISTS ${name};\n`,
    `CREATE TABLE ${name} (\n  ${definition.parts.join(",\n  ")}\n)${definition.options};\n`,
  ].join("");
};

const pieceBytes = 65_536;

/** Rows come a line at a time. */
async function* inLargerPieces(source: ByteStream): ByteStream {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of source) {
    held.push(piece);
    bytes += piece.length;
    if (bytes < pieceBytes) continue;
    yield Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held);
}

async function* rowStatements({ table, privately, counts }: MadeRows): AsyncGenerator<ScriptPiece> {
  yield `${comment(`${table.label}: its rows, as they were`)}START TRANSACTION;\n`;
  yield* inLargerPieces(insertsInto(await table.open(), privately));
  yield `COMMIT;\n${block([
    `IF (SELECT COUNT(*) FROM ${quoteName(privately)}) <> ${counts.gone} THEN ${refuse(`not all rows of ${table.label} have come`)} END IF;`,
  ])}`;
}

const belongings = ({ table: { label, code }, privately, counter }: MadeRows): string => {
  const triggers = code.objects.flatMap((object) => {
    const statement = triggerOn(object, label, privately);
    return statement === null
      ? []
      : [comment(`${label}: its trigger ${object.name}`), inOwnSession(statement, object, quoteLine)];
  });
  const counting =
    counter === null
      ? []
      : [
          comment(`${label}: numbers that rows of others refer to are not given out again`),
          `ALTER TABLE ${quoteName(privately)} AUTO_INCREMENT = ${counter};\n`,
        ];
  // A trigger is made in a session as it was made in, which leaves other modes behind.
  return [...triggers, `SET SESSION ${modes};\n`, ...counting].join("");
};

/** Foreign keys come last: with them a table that nobody has yet would be in the way of those that it refers to. */
const naming = (made: readonly MadeRows[]): readonly string[] => {
  const all = made.map(({ privately }) => quoteName(privately)).join(", ");
  const privates = new Map(made.map(({ table, privately }) => [table.label, privately]));
  const keys = made.flatMap(({ table: { label, definition }, privately }) => {
    const name = quoteName(privately);
    if (definition.foreignKeys.length === 0) return [];
    const added = definition.foreignKeys.map(({ text }) => `ADD ${text}`).join(", ");
    const checked = definition.foreignKeys.flatMap((key) => {
      if (key.parentDatabase === null && privates.has(key.parent)) return [];
      const [place, parent] =
        key.parentDatabase === null
          ? [key.parent, quoteName(key.parent)]
          : [`${key.parentDatabase}.${key.parent}`, inDatabase(key.parentDatabase, key.parent)];
      const what = ` rows of ${label} refer to rows of ${place} that are gone; nothing was changed`;
      return [
        `SET orphans = ${orphansSql(name, parent, key)};`,
        `IF orphans > 0 THEN SET message = CONCAT('refloat: ', orphans, ${quoteLine(what)}); ${signal("message")} END IF;`,
      ];
    });
    return [`ALTER TABLE ${name} ${added};`, ...checked];
  });
  const renamed = made.map(({ table, privately }) => `${quoteName(privately)} TO ${quoteName(table.label)}`);
  return [
    "BEGIN NOT ATOMIC",
    "  DECLARE orphans BIGINT DEFAULT 0;",
    "  DECLARE message TEXT CHARACTER SET utf8mb4;",
    `  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN DROP TABLE IF EXISTS ${all}; RESIGNAL; END;`,
    ...keys.map((line) => `  ${line}`),
    `  RENAME TABLE ${renamed.join(", ")};`,
    "END",
  ];
};

const setLast = (lines: readonly string[]): string =>
  `SET @refloat_last = CONCAT(\n${lines.map((line) => `  ${quoteLine(`${line}\n`)}`).join(",\n")});\n`;

/** Nobody else writes between the look at a table and its end. */
const dropping = (made: readonly MadeRows[]): string => {
  const labels = new Set(made.map(({ live }) => live.label));
  const others = made.flatMap(({ referrers }) => referrers);
  const read = new Set(others.map(({ childDatabase, child }) => `${inDatabase(childDatabase, child)} READ`));
  const locked = [...made.map(({ live }) => `${quoteName(live.label)} WRITE`), ...read].join(", ");
  const checks = made.flatMap(({ live, shared, digest, referrers }) => {
    const { label } = live;
    const columns = referrers.reduce((sum, key) => sum + key.columns.length, 0);
    const ours = [...labels].map((one) => `BINARY ${quoteLine(one)}`).join(", ");
    return [
      `IF ${digestSql(shared, quoteName(label))} <> ${quoteLine(digest)} THEN ${refuse(`${label} was written since it was made again`)} END IF;`,
      `IF (SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_SCHEMA = DATABASE() AND BINARY REFERENCED_TABLE_NAME = BINARY ${quoteLine(label)} AND NOT (TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME IN (${ours}))) <> ${columns} THEN ${refuse(`other tables refer to ${label} now`)} END IF;`,
      ...referrers.map(({ childDatabase, child, columns: own, rows }) => {
        const refers = own.map((name) => `${quoteName(name)} IS NOT NULL`).join(" AND ");
        return `IF (SELECT COUNT(*) FROM ${inDatabase(childDatabase, child)} WHERE ${refers}) <> ${rows} THEN ${refuse(`rows of ${child} that refer to ${label} have come or gone`)} END IF;`;
      }),
    ];
  });
  return `${comment("dropped before: made again, and dropped again")}LOCK TABLES ${locked};\n${block(checks)}${setLast([
    `DROP TABLE ${[...labels].map(quoteName).join(", ")}`,
  ])}`;
};

async function* nothing(): AsyncGenerator<never> {
  // There are no rows beside those that are made again.
}

/** @param made all tables of the script */
export const madeScriptParts = (made: readonly MadeRows[]): ScriptParts<MadeRows> => ({
  comment,
  begin: `${comment(how)}${settings}`,
  check: "",
  end: lastStep,
  wanted: nothing,
  update: () => "",
  insert: () => "",
  remove: () => "",
  triggers: () => "",
  numbers: nothing,
  made: {
    labels: new Set(made.map(({ live }) => live.label)),
    before: made.map(creation).join(""),
    rows: rowStatements,
    after: `${made.map(belongings).join("")}${comment("foreign keys, and the names that they had; or, where the server refuses one, nothing of it")}${setLast(naming(made))}`,
    drop: dropping,
  },
});
