/** The text of postgresql.auto.conf: one setting a line, as ALTER SYSTEM writes it; the last one of a name counts. */

const linePattern = /^\s*(?<name>[\w.]+)\s*=?\s*'(?<value>(?:[^']|'')*)'\s*(?:#.*)?$/;

const entryOf = (line: string): { readonly name: string; readonly value: string } | null => {
  const { name, value } = linePattern.exec(line)?.groups ?? {};
  return name === undefined || value === undefined
    ? null
    : { name: name.toLowerCase(), value: value.replaceAll("''", "'") };
};

/** Null when it is not set there. */
export const settingIn = (text: string, name: string): string | null =>
  text
    .split("\n")
    .map(entryOf)
    .findLast((entry) => entry?.name === name.toLowerCase())?.value ?? null;

export const settingLine = (name: string, value: string): string => `${name} = '${value.replaceAll("'", "''")}'\n`;

/** What is not null is set to it and everything else of these names is gone. */
export const withSettings = (text: string, values: Readonly<Record<string, string | null>>): string => {
  const names = new Set(Object.keys(values).map((name) => name.toLowerCase()));
  const kept = text.split("\n").filter((line) => !names.has(entryOf(line)?.name ?? ""));
  const before = kept.join("\n");
  const set = Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [settingLine(name, value)]));
  return `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${set.join("")}`;
};
