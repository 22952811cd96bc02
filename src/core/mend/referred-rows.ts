/**
 * Rows that are put back may refer to rows that are gone as well: those come along, and what they refer to, until nothing is missing that the
 * source has. What the server would refuse stays out and is named: one such row would take all others with it.
 */
import type { RowStage, SetAside, StageRows, StageTable } from "../ports/row-stage.ts";
import type { LeftOut } from "../../model/mend.ts";

export type ComparedTables<Rows> = {
  /** By label, those compared so far. */
  readonly compared: Map<string, Rows>;
  /** Compares a table of the source, nothing of it wanted; null when the source or the live side has no such table. */
  readonly compare: (label: string) => Promise<Rows | null>;
};

/** Wants what wanted rows refer to and the source has, compared tables first, until nothing more is found. */
export const wantReferred = async <Table extends StageTable, Rows extends StageRows<Table>>(
  stage: RowStage<Table, Rows>,
  { compared, compare }: ComparedTables<Rows>,
): Promise<void> => {
  for (let found = true; found;) {
    found = false;
    // A table that is compared on the way is looked at in the same round.
    for (const table of compared.values()) {
      for (const key of table.live.foreignKeys) {
        if (!key.parentHasRows || (await stage.countDangling(table, key)) === 0) continue;
        const parent = compared.get(key.parent) ?? (await compare(key.parent));
        if (parent !== null && (await stage.wantParents(table, key, parent)) > 0) found = true;
      }
    }
  }
};

const suchAs = ({ rows, keys }: SetAside): string => `${rows > keys.length ? "such as " : ""}${keys.join("; ")}`;

const setTakenAside = async <Table extends StageTable, Rows extends StageRows<Table>>(
  stage: RowStage<Table, Rows>,
  table: Rows,
): Promise<readonly LeftOut[]> => {
  const told: LeftOut[] = [];
  for (const unique of table.live.uniques) {
    if (!unique.columns.every((name) => table.shared.some((column) => column.name === name))) continue;
    const aside = await stage.setTakenAside(table, unique);
    if (aside.rows === 0) continue;
    told.push({
      table: table.live.label,
      rows: aside.rows,
      why: `another row has their ${unique.columns.join(", ")} now (${unique.name}); ${suchAs(aside)}`,
      file: null,
    });
  }
  return told;
};

/** By what is set aside others lose what they refer to, so this goes on until nobody does. */
const setOrphansAside = async <Table extends StageTable, Rows extends StageRows<Table>>(
  stage: RowStage<Table, Rows>,
  compared: ReadonlyMap<string, Rows>,
): Promise<readonly LeftOut[]> => {
  const told = new Map<string, LeftOut & { readonly rows: number }>();
  for (let found = true; found;) {
    found = false;
    for (const table of compared.values()) {
      for (const key of table.live.foreignKeys) {
        const parent = key.parentHasRows ? (compared.get(key.parent) ?? null) : null;
        const { rows } = await stage.setOrphansAside(table, key, parent);
        if (rows === 0) continue;
        found = true;
        const { label } = table.live;
        const why = `they refer to rows of ${key.parent} that are not live and do not come back (${key.name})`;
        const id = `${label}: ${why}`;
        told.set(id, { table: label, rows: rows + (told.get(id)?.rows ?? 0), why, file: null });
      }
    }
  }
  return [...told.values()];
};

/** @param made labels of tables that are made again: nobody else has a value there. @returns what stays out */
export const setRefusedAside = async <Table extends StageTable, Rows extends StageRows<Table>>(
  stage: RowStage<Table, Rows>,
  compared: ReadonlyMap<string, Rows>,
  made: ReadonlyMap<string, unknown>,
): Promise<readonly LeftOut[]> => {
  const taken: LeftOut[] = [];
  for (const table of compared.values())
    if (!made.has(table.live.label)) taken.push(...(await setTakenAside(stage, table)));
  return [...taken, ...(await setOrphansAside(stage, compared))];
};

/** Parents first, so that each row finds what it refers to; within a circle the order is that of the names. */
export const parentsFirst = <Rows extends StageRows>(tables: readonly Rows[]): readonly Rows[] => {
  const byLabel = new Map(tables.map((table) => [table.live.label, table]));
  const ordered = new Set<Rows>();
  const visiting = new Set<string>();
  const visit = (table: Rows): void => {
    if (visiting.has(table.live.label)) return;
    visiting.add(table.live.label);
    for (const { parent } of table.live.foreignKeys) {
      const found = byLabel.get(parent);
      if (found !== undefined) visit(found);
    }
    ordered.add(table);
  };
  for (const table of tables) visit(table);
  return [...ordered];
};
