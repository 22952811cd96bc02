/** Tables under names of our own in which a dropped one is made again before it gets its name: whose they are while they are filled, and what becomes of those that nobody fills any more. */
import { randomBytes } from "node:crypto";
import { RefloatError } from "../../../model/refloat-error.ts";
import { type SqlAccess, askSql, runSql, textOf } from "../sql-client.ts";
import { inDatabase, quoteText } from "../sql-text.ts";

const pattern = /^refloat_made_[0-9a-f]{16}$/;

/** Also the name of the lock that the session which fills it holds until it ends. */
export const privateName = (): string => `refloat_made_${randomBytes(8).toString("hex")}`;

/**
 * Drops those that killed sessions have left, however they were run: none of them has its lock. Idempotent.
 * Where Refloat's user may not drop them they stay, in nobody's way.
 */
export const dropAbandoned = async (access: SqlAccess): Promise<void> => {
  const { database } = access.target;
  const found = await askSql(
    access,
    `SELECT TABLE_NAME AS name FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = ${quoteText(database)} AND TABLE_NAME LIKE 'refloat\\_made\\_%' AND IS_USED_LOCK(TABLE_NAME) IS NULL;`,
  );
  const names = found.map((row) => textOf(row, "name")).filter((name) => pattern.test(name));
  if (names.length === 0) return;
  const all = names.map((name) => inDatabase(database, name)).join(", ");
  try {
    await runSql(access, `SET SESSION foreign_key_checks = 0;\nDROP TABLE IF EXISTS ${all};`);
  } catch (error) {
    if (!(error instanceof RefloatError) || error.code !== "source.denied") throw error;
  }
};
