/** Types of columns as pg_dump's definition of a table names them: one column a line, `    price numeric(10,2) DEFAULT 0 NOT NULL,`. */
import { quoteName } from "../instance-names.ts";

/** Where the rest of a definition begins: a collation, a default, a constraint. */
const restOfLine = /\s+(?:COLLATE|DEFAULT|NOT NULL|NULL|GENERATED|CONSTRAINT|STORAGE|COMPRESSION)\b.*$|,?$/s;

/**
 * @param type as the server names that of the live column, with its schema
 * @returns the type in the definition where it is another one; null where it is the same, or where the definition does not name the column (an inherited one)
 */
export const differingType = (definition: string, column: string, type: string): string | null => {
  const names = [`    ${column} `, `    ${quoteName(column)} `];
  for (const line of definition.split("\n")) {
    const name = names.find((one) => line.startsWith(one));
    if (name === undefined) continue;
    const rest = line.slice(name.length);
    const next = rest.charAt(type.length);
    if (rest.startsWith(type) && (next === "" || next === "," || next === " ")) return null;
    return rest.replace(restOfLine, "");
  }
  return null;
};
