/** Lets the new side go on where the old one stopped: no customer gets an order number twice. */
import type { MariadbContext } from "./mariadb-options.ts";
import { type SqlAccess, accessOf, askSql, runSql, textOf } from "./sql-client.ts";
import { inDatabase, quoteText } from "./sql-text.ts";

const readCounters = async (access: SqlAccess, database: string): Promise<ReadonlyMap<string, bigint>> => {
  const rows = await askSql(
    access,
    `SELECT TABLE_NAME AS name, AUTO_INCREMENT AS value FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = ${quoteText(database)} AND AUTO_INCREMENT IS NOT NULL ORDER BY 1;`,
  );
  return new Map(rows.map((row) => [textOf(row, "name"), BigInt(textOf(row, "value"))]));
};

type Sequence = { readonly value: bigint; readonly ascending: boolean; readonly cycles: boolean };

const readSequences = async (access: SqlAccess, database: string): Promise<ReadonlyMap<string, Sequence>> => {
  const listed = await askSql(
    access,
    `SELECT TABLE_NAME AS name FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = ${quoteText(database)} AND TABLE_TYPE = 'SEQUENCE' ORDER BY 1;`,
  );
  if (listed.length === 0) return new Map();
  const names = listed.map((row) => textOf(row, "name"));
  const answers = await runSql(
    access,
    names
      .map(
        (name) =>
          `SELECT next_not_cached_value AS value, increment AS step, cycle_option AS cycles FROM ${inDatabase(database, name)};`,
      )
      .join("\n"),
  );
  return new Map(
    names.map((name, index) => {
      const row = answers[index]?.[0];
      return [
        name,
        {
          value: BigInt(textOf(row, "value")),
          ascending: !textOf(row, "step").startsWith("-"),
          cycles: textOf(row, "cycles") === "1",
        },
      ];
    }),
  );
};

const settleCounters = async (access: SqlAccess, stable: string, outgoing: string): Promise<readonly string[]> => {
  const [old, present] = [await readCounters(access, outgoing), await readCounters(access, stable)];
  const said: string[] = [];
  for (const [name, value] of present) {
    const before = old.get(name);
    if (before === undefined || before <= value) continue;
    await runSql(access, `ALTER TABLE ${inDatabase(stable, name)} AUTO_INCREMENT = ${before};`);
    said.push(`${name} goes on at ${before} (was at ${value})`);
  }
  return said;
};

const settleSequences = async (access: SqlAccess, stable: string, outgoing: string): Promise<readonly string[]> => {
  const [old, present] = [await readSequences(access, outgoing), await readSequences(access, stable)];
  const said: string[] = [];
  for (const [name, { value, ascending, cycles }] of present) {
    const before = old.get(name)?.value;
    if (before === undefined || (ascending ? before <= value : before >= value)) continue;
    if (cycles) {
      said.push(`${name} cycles; it was left at ${value}`);
      continue;
    }
    await runSql(access, `DO SETVAL(${inDatabase(stable, name)}, ${before}, 0);`);
    said.push(`${name} goes on at ${before} (was at ${value})`);
  }
  return said;
};

/** @returns one sentence for each counter that was moved */
export const settleMariadb = async (context: MariadbContext, outgoing: string): Promise<readonly string[]> => {
  const access = await accessOf(context, "target");
  const stable = access.target.database;
  return [...(await settleCounters(access, stable, outgoing)), ...(await settleSequences(access, stable, outgoing))];
};
