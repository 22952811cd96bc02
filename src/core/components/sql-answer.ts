/** What the sql checks of all databases have in common: the keys that a person writes, and when an answer is a yes. */
import { z } from "zod";

export const sqlCheckOptionsSchema = z
  .strictObject({
    sql: z.string().min(1).meta({
      description: "A query with one row of one column that is true (or a number other than zero) when all is well.",
    }),
  })
  .meta({ description: "A query of the component's own database answers true." });
export type SqlCheckOptions = z.infer<typeof sqlCheckOptionsSchema>;

export type SqlAnswer = {
  /** How many columns the answer has. */
  readonly columns: number;
  /** At least the first two, where there are so many. */
  readonly rows: readonly (readonly unknown[])[];
};

const foundLength = 200;

const isTrue = (value: unknown): boolean => {
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return value !== 0;
  if (typeof value !== "string") return false;
  return (
    /^(?:t|true|yes|on)$/i.test(value) || (value.trim() !== "" && Number.isFinite(Number(value)) && Number(value) !== 0)
  );
};

const describeValue = (value: unknown): string => {
  if (value === null || value === undefined) return "null";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= foundLength ? text : `${text.slice(0, foundLength)}...`;
};

export const judgeAnswer = ({ columns, rows }: SqlAnswer): { readonly ok: boolean; readonly found: string } => {
  const [row] = rows;
  if (columns !== 1) return { ok: false, found: `${columns} columns, one is expected` };
  if (row === undefined) return { ok: false, found: "no row" };
  if (rows.length > 1) return { ok: false, found: `${rows.length.toLocaleString("en-US")} rows, one is expected` };
  return { ok: isTrue(row[0]), found: describeValue(row[0]) };
};
