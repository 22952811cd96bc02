/** Reads the words of a command line into one command and its raw input, with commander; says what is wrong in Refloat's own words. */
import { Command as Parser, CommanderError, Option } from "commander";
import { RefloatError } from "../model/refloat-error.ts";
import type { Command, OptionDefinition } from "./command.ts";
import { globalOptionDefinitions } from "./global-options.ts";
import { commandHelp, listHelp } from "./help-text.ts";
import { answerUnknownCommand, answerUnknownOption } from "./unknown-word.ts";

export type ParsedLine =
  | {
      readonly kind: "command";
      readonly command: Command;
      readonly input: Readonly<Record<string, unknown>>;
      readonly global: Readonly<Record<string, unknown>>;
    }
  /** Help or version was asked for. `wanted` is false when help is shown because no command was named. */
  | { readonly kind: "text"; readonly text: string; readonly wanted: boolean };

export type ParseOptions = { readonly version: string; readonly width: number };

/** @throws RefloatError usage */
export const parseCommandLine = (
  commands: readonly Command[],
  argv: readonly string[],
  options: ParseOptions,
): ParsedLine => {
  const names = commands.map(({ name }) => name.split(" ")[0] ?? name);
  const topic = helpTopic(argv);
  if (topic !== null && !names.includes(topic)) throw unknownCommand(topic, null, names);
  let parsed: ParsedLine | undefined;
  let text = "";
  const root = buildParser(commands, options, {
    write: (part) => (text += part),
    chosen: (command, input, global) => (parsed = { kind: "command", command, input, global }),
  });
  try {
    root.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "text", text, wanted: true };
    if (error.code === "commander.help") return { kind: "text", text, wanted: false };
    throw usageError(error, commands, argv);
  }
  if (parsed === undefined) throw new RefloatError("bug", "the command line named no command");
  return parsed;
};

/** `help restore`, `restore --help`: commander would answer with the list of commands, as if nothing had been named. */
const helpTopic = ([first, second, ...rest]: readonly string[]): string | null => {
  if (first === "help") return second ?? null;
  const asksHelp = [second, ...rest].some((word) => word === "--help" || word === "-h");
  return asksHelp && first !== undefined && !first.startsWith("-") ? first : null;
};

type Receive = {
  readonly write: (text: string) => void;
  readonly chosen: (
    command: Command,
    input: Readonly<Record<string, unknown>>,
    global: Readonly<Record<string, unknown>>,
  ) => void;
};

const buildParser = (commands: readonly Command[], options: ParseOptions, receive: Receive): Parser => {
  const root = new Parser("refloat")
    .version(`refloat ${options.version}`, "--version")
    .helpOption("-h, --help")
    .helpCommand("help [COMMAND]")
    .exitOverride()
    .configureOutput({ writeOut: receive.write, writeErr: receive.write, outputError: () => undefined })
    .configureHelp({ formatHelp: () => listHelp(commands, null, options.width) });
  for (const definition of globalOptionDefinitions) root.addOption(parserOption(definition));
  for (const command of commands) addCommand(root, command, commands, options, receive);
  return root;
};

const addCommand = (
  root: Parser,
  command: Command,
  commands: readonly Command[],
  { width }: ParseOptions,
  receive: Receive,
): void => {
  const words = command.name.split(" ");
  const family = words.length === 1 ? null : (words[0] ?? null);
  const parent = family === null ? root : familyParser(root, family, () => listHelp(commands, family, width));
  const parser = parent.command(words.at(-1) ?? "").configureHelp({ formatHelp: () => commandHelp(command, width) });
  for (const { name, required, repeats } of command.arguments) {
    const words = repeats === true ? `${name}...` : name;
    parser.argument(required ? `<${words}>` : `[${words}]`);
  }
  for (const option of command.options) parser.addOption(parserOption(option));
  parser.action(() => {
    const input: Record<string, unknown> = { ...parser.opts() };
    command.arguments.forEach(({ name, repeats }, index) => {
      if (parser.args[index] === undefined) return;
      input[name.toLowerCase()] = repeats === true ? parser.args.slice(index) : parser.args[index];
    });
    receive.chosen(command, input, root.opts());
  });
};

/** `vault`, of which `vault init` is one member. */
const familyParser = (root: Parser, name: string, formatHelp: () => string): Parser =>
  root.commands.find((command) => command.name() === name) ??
  root.command(name).helpCommand(false).configureHelp({ formatHelp });

const parserOption = (definition: OptionDefinition): Option => {
  const value = definition.value === undefined ? "" : ` <${definition.value}>`;
  const option = new Option(`--${definition.name}${value}`, definition.about);
  if (definition.repeatable === true) {
    option.argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]);
  }
  return option;
};

/** commander says what is wrong by a code, and which word by quoting it in its message. */
const usageError = (error: CommanderError, commands: readonly Command[], argv: readonly string[]): RefloatError => {
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? "";
  const command = commandIn(commands, argv);
  const help = command === null ? "refloat --help" : `refloat ${command.name} --help`;
  const usage = (message: string, hint: string | null = null): RefloatError =>
    new RefloatError("usage", message, { nextCommand: help, ...(hint === null ? {} : { hint }) });
  switch (error.code) {
    case "commander.unknownCommand": {
      const at = argv.indexOf(quoted);
      const next = argv.slice(at + 1).find((word) => !word.startsWith("-")) ?? null;
      const parent = argv[at - 1];
      const names = commands.map(({ name }) => name);
      if (names.some((name) => name.startsWith(`${parent} `))) {
        const members = names.filter((name) => name.startsWith(`${parent} `)).map((name) => `refloat ${name}`);
        return usage(`no command "${parent} ${quoted}"; there is: ${members.join(", ")}`);
      }
      return unknownCommand(
        quoted,
        next,
        names.map((name) => name.split(" ")[0] ?? name),
      );
    }
    case "commander.unknownOption": {
      const flag = quoted.split("=")[0] ?? quoted;
      const flags = [...(command?.options ?? []), ...globalOptionDefinitions].map(({ name }) => name);
      return usage(
        `${command === null ? "refloat" : command.name} has no option ${flag}`,
        answerUnknownOption(flag, [...flags, "help", "version"]),
      );
    }
    case "commander.missingArgument": {
      const argument = command?.arguments.find(({ required }) => required);
      return usage(
        `${command?.name ?? "the command"} needs ${argument === undefined ? quoted : `${argument.name}: ${argument.about}`}`,
        argument?.completes === "runs" ? "refloat runs lists them" : null,
      );
    }
    case "commander.optionMissingArgument":
      return usage(`${quoted.split(/[ ,]/)[0] ?? quoted} needs a value: ${quoted.replaceAll(/[<>]/g, "")}`);
    case "commander.excessArguments": {
      const most = command?.arguments.map(({ name }) => name) ?? [];
      return usage(
        `${command?.name ?? "the command"} takes ${most.length === 0 ? "no argument" : `only ${most.join(" and ")}`}`,
        command?.options.some(({ name }) => name === "at") ? 'quote what has spaces: --at "2 hours ago"' : null,
      );
    }
    default:
      return usage(error.message.replace(/^error: /, ""));
  }
};

const unknownCommand = (word: string, next: string | null, names: readonly string[]): RefloatError => {
  const answer = answerUnknownCommand(word, next, [...new Set(names)]);
  return new RefloatError("usage", `no command "${word}"${answer === null ? "" : `; ${answer}`}`, {
    nextCommand: "refloat --help",
  });
};

/** The command that the words begin with, for the hint of what to read. */
const commandIn = (commands: readonly Command[], argv: readonly string[]): Command | null => {
  const words = argv.filter((word) => !word.startsWith("-"));
  return (
    commands.find(({ name }) => {
      const parts = name.split(" ");
      return words.some((_, start) => parts.every((part, index) => words[start + index] === part));
    }) ?? null
  );
};
