/** Reads the sides of the invariants: what a component's own driver is asked, or a set of some kind. */
import type { InvariantDeclaration, InvariantSide } from "../../model/declaration.ts";
import { readSet } from "./read-entry.ts";
import type { Reading } from "./reading.ts";
import { subjectText } from "./report-issues.ts";
import type { JsonPath } from "./template.ts";
import { nodeAt } from "./yaml-source.ts";

/** As the file has them, by the schema. */
export type InvariantsInFile = Readonly<
  Record<string, { readonly every: Readonly<Record<string, unknown>>; readonly in: Readonly<Record<string, unknown>> }>
>;

/** @param path that of `invariants` @returns undefined when something is wrong; then it has been reported */
export const readInvariants = (
  reading: Reading,
  path: JsonPath,
  declared: InvariantsInFile,
): Record<string, InvariantDeclaration> | undefined => {
  const read: Record<string, InvariantDeclaration> = {};
  let whole = true;
  for (const [name, sides] of Object.entries(declared)) {
    const every = readSide(reading, [...path, name, "every"], sides.every);
    const within = readSide(reading, [...path, name, "in"], sides.in);
    if (every === undefined || within === undefined) whole = false;
    else read[name] = { every, in: within };
  }
  return whole ? read : undefined;
};

const readSide = (
  reading: Reading,
  path: JsonPath,
  side: Readonly<Record<string, unknown>>,
): InvariantSide | undefined => {
  const [component = ""] = Object.keys(side);
  const at = [...path, component];
  const asked = nodeAt(reading.root, at)?.value;
  if (typeof asked === "string") return { [component]: asked };
  if (asked !== null && typeof asked === "object" && !Array.isArray(asked)) {
    const set = readSet(reading, at);
    return set === undefined ? undefined : { [component]: set };
  }
  reading.atValue(at, {
    code: "config.wrong-type",
    message: `${subjectText(at)} does not say which values of ${component} are meant`,
    hint: `write a query or pattern of ${component} as text, or how its values are asked: { ${[...reading.registry.sets.keys()][0] ?? "http"}: ... }`,
  });
  return undefined;
};
