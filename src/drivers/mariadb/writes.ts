/** What was written to a database since a position: row by row against another state of it; alone, by the checksums of its tables. */
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import type { PositionMark } from "./captured-detail.ts";
import { compareDatabases } from "./compare-tables.ts";
import type { MariadbOptions } from "./mariadb-options.ts";
import { lastWriteOf, readMark, readPosition, readSums } from "./position.ts";
import { readServerFacts } from "./server-facts.ts";
import { type SqlAccess, accessOf } from "./sql-client.ts";

type Unit = WriteReport["units"][number];

const nothing: WriteReport = { lastWriteAt: null, units: [], gaps: [] };

const hasCount = ({ added, changed, removed }: Unit): boolean => added + changed + removed > 0;

const lookAlone = async (access: SqlAccess, database: string, since: PositionMark): Promise<WriteReport> => {
  const { gtid } = await readServerFacts(access);
  // The log is the server's: where nothing at all was written, nothing was written here.
  if (since.gtid !== null && since.gtid !== "" && since.gtid === gtid) return nothing;
  const now = await readSums(access, database, false);
  if (now === null || since.tables === null) {
    const gap = `${database} is too large to look for what was written without another state of it`;
    return { ...nothing, gaps: [gap] };
  }
  const units: Unit[] = [];
  const gaps: string[] = [];
  for (const [name, { rows, checksum }] of Object.entries(now)) {
    const before = since.tables[name];
    const more = rows - (before?.rows ?? 0);
    if (more !== 0) units.push({ name, added: Math.max(0, more), changed: 0, removed: Math.max(0, -more) });
    if (before === undefined) continue;
    if (before.checksum === null)
      gaps.push(`${name}: whether rows were changed cannot be told without another state of it`);
    else if (before.checksum !== checksum) {
      if (more === 0) units.push({ name, added: 0, changed: 0, removed: 0, uncounted: true });
      gaps.push(`${name} was written to; how many of its rows changed cannot be told without another state of it`);
    }
  }
  for (const [name, { rows }] of Object.entries(since.tables)) {
    if (now[name] !== undefined) continue;
    gaps.push(`${name} was dropped`);
    if (rows > 0) units.push({ name, added: 0, changed: 0, removed: rows });
  }
  const written = units.map(({ name }) => name);
  return { lastWriteAt: await lastWriteOf(access, database, written), units, gaps };
};

export const mariadbWrites: WriteLedger<MariadbOptions> = {
  exports: "rows",
  position: async (context, location) => {
    const access = await accessOf(context, "source");
    return readPosition(context, access, location ?? access.target.database);
  },
  writesSince: async (context, { location, since, against, exportTo }) => {
    const access = await accessOf(context, "source");
    const stable = access.target.database;
    const here = location ?? stable;
    if (against === undefined) return lookAlone(access, here, readMark(since));
    const found = await compareDatabases({ access, here, there: against ?? stable, exportTo });
    const units = found.map(({ unit }) => unit).filter(hasCount);
    const written = units.map(({ name }) => name);
    return {
      lastWriteAt: await lastWriteOf(access, here, written),
      units,
      gaps: found.flatMap(({ gaps }) => gaps),
    };
  },
};
