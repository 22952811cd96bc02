/** Lets the new side go on where the old one stopped: no customer gets an order number twice. */
import type { PostgresContext } from "./postgres-context.ts";
import { openLocation } from "./retired-database.ts";
import { type Session, inTransaction } from "../../platform/postgres/session.ts";

type Sequence = {
  readonly name: string;
  /** Null when it was never used. */
  readonly value: bigint | null;
  readonly ascending: boolean;
  readonly cycles: boolean;
};

const readSequences = async (session: Session): Promise<ReadonlyMap<string, Sequence>> => {
  type Row = { name: string; value: string | null; ascending: boolean; cycles: boolean };
  const rows = await session.query<Row>(
    `select format('%I.%I', schemaname, sequencename) as name, last_value::text as value,
            increment_by > 0 as ascending, cycle as cycles
       from pg_sequences order by 1`,
  );
  return new Map(
    rows.map((row) => [row.name, { ...row, value: row.value === null ? null : BigInt(row.value) }] as const),
  );
};

const isAhead = (old: Sequence, present: Sequence): boolean => {
  if (old.value === null) return false;
  if (present.value === null) return true;
  return present.ascending ? old.value > present.value : old.value < present.value;
};

const shortName = (name: string): string => name.replace(/^public\./, "");

/** @returns one sentence per sequence that was moved or could not be */
export const settleSequences = async (context: PostgresContext, outgoing: string): Promise<readonly string[]> => {
  const oldSide = await openLocation(context, outgoing, { stayClosed: true });
  let old: ReadonlyMap<string, Sequence>;
  try {
    await oldSide.query("set default_transaction_read_only = on");
    old = await readSequences(oldSide);
  } finally {
    await oldSide.close();
  }
  const newSide = await openLocation(context, null);
  try {
    return await inTransaction(newSide, "", async () => {
      const said: string[] = [];
      for (const [name, present] of await readSequences(newSide)) {
        const before = old.get(name);
        if (before === undefined || before.value === null || !isAhead(before, present)) continue;
        if (present.cycles) {
          said.push(`${shortName(name)} cycles; it was left at ${present.value ?? "its start"}`);
          continue;
        }
        await newSide.query("select setval($1::regclass, $2)", [name, String(before.value)]);
        said.push(`${shortName(name)} goes on after ${before.value} (was at ${present.value ?? "its start"})`);
      }
      return said;
    });
  } finally {
    await newSide.close();
  }
};
