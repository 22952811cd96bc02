/** `--help`, from the command table alone. */
import type { Command, CommandGroup, OptionDefinition } from "./command.ts";
import { type ExitCode, exitMeanings } from "./exit-code.ts";
import { globalOptionDefinitions } from "./global-options.ts";

const groups: readonly CommandGroup[] = ["At 3 a.m.", "Just one thing", "Every day", "Machinery"];

/** Wider lines are hard to read, however wide the window is. */
const readable = (width: number): number => Math.min(width, 110);

/** Prose is broken at any space; commands in it are not told apart. */
const wrapped = (text: string, width: number): readonly string[] => {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
};

const pairs = (rows: readonly (readonly [string, string])[], width: number): readonly string[] => {
  const column = Math.max(...rows.map(([term]) => term.length)) + 4;
  return rows.flatMap(([term, about]) =>
    wrapped(about, Math.max(30, width - column)).map(
      (line, index) => (index === 0 ? `  ${term}` : "").padEnd(column) + line,
    ),
  );
};

const optionRows = (options: readonly OptionDefinition[]): readonly (readonly [string, string])[] =>
  options.map((option) => [optionTerm(option), option.about]);

/** `--at TIME` */
export const optionTerm = ({ name, value }: OptionDefinition): string =>
  value === undefined ? `--${name}` : `--${name} ${value}`;

/** `refloat plan SERVICE [options]` */
export const usageLine = (command: Command): string =>
  [
    `refloat ${command.name}`,
    ...command.arguments.map(({ name, required, repeats }) => {
      const words = repeats === true ? `${name}...` : name;
      return required ? words : `[${words}]`;
    }),
    ...(command.options.length === 0 ? [] : ["[options]"]),
  ].join(" ");

/** Every command can be given wrong input, and can meet a bug. */
export const exitsOf = (command: Command): readonly ExitCode[] =>
  [...new Set<ExitCode>([0, 2, ...command.exits, 70])].sort((a, b) => a - b);

export const commandHelp = (command: Command, columns: number): string => {
  const width = readable(columns);
  const section = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : ["", `${title}:`, ...lines];
  const words: readonly (readonly [string, string])[] = [
    ...command.arguments.map(({ name, about }) => [name, about] as const),
    ...optionRows(command.options),
  ];
  return [
    `usage: ${usageLine(command)}`,
    ...command.about.flatMap((paragraph) => ["", ...wrapped(paragraph, width)]),
    ...section("Arguments and options", words.length === 0 ? [] : pairs(words, width)),
    ...section("Options of every command", pairs(optionRows(globalOptionDefinitions), width)),
    ...section(
      "Examples",
      command.examples.flatMap(({ line, about }) => [`  ${line}`, `      ${about}`]),
    ),
    ...section(
      "Exit codes",
      exitsOf(command).map((code) => `  ${String(code).padStart(2)}  ${exitMeanings[code]}`),
    ),
  ].join("\n");
};

/** @param family `vault`: only its members; null for all */
export const listHelp = (commands: readonly Command[], family: string | null, columns: number): string => {
  const width = readable(columns);
  const shown = commands.filter(({ name }) => family === null || name.startsWith(`${family} `));
  const column = Math.max(...shown.map(({ name }) => name.length));
  const listed = groups.flatMap((group) => {
    const members = shown.filter((command) => command.group === group);
    const rows = members.map(({ name, summary }) => [name.padEnd(column), summary] as const);
    return members.length === 0 ? [] : ["", group, ...pairs(rows, width)];
  });
  if (family !== null)
    return [`usage: refloat ${family} COMMAND`, ...listed, "", `refloat ${family} COMMAND --help says more`].join("\n");
  return [
    "usage: refloat COMMAND [options]",
    "",
    "Your service back in front of its users, not just its bytes on a disk.",
    ...listed,
    "",
    "Options of every command",
    ...pairs([...optionRows(globalOptionDefinitions), ["--version", "print the version"]], width),
    "",
    "refloat COMMAND --help says more, with examples and exit codes",
  ].join("\n");
};
