/**
 * What may stand at the cursor of a command line: commands, options, or values that only this installation knows. Pure but for the
 * sources, which are asked only when they are needed.
 */
import type { ArgumentDefinition, Command, CompletionSource, OptionDefinition } from "./command.ts";
import { globalOptionDefinitions } from "./global-options.ts";

export type Suggestion = { readonly word: string; readonly about: string };

/** `files`: the shell's own completion of paths is what is wanted. */
export type Completions = readonly Suggestion[] | "files";

export type CompletionSources = {
  readonly services: () => Promise<readonly Suggestion[]>;
  /** @param service null when none has been typed yet: the components of all */
  readonly components: (service: string | null) => Promise<readonly Suggestion[]>;
  readonly runs: () => Promise<readonly Suggestion[]>;
  /** By the first letters of their ids: their names have blanks. @param service null when none has been typed yet: those of all */
  readonly marks: (service: string | null) => Promise<readonly Suggestion[]>;
  /** Points; after a colon components, after another one tables and files. @param typed the word so far */
  readonly places: (typed: string) => Promise<readonly Suggestion[]>;
};

/** @param words after `refloat`; the last one is being typed and may be empty */
export const completeWords = async (
  commands: readonly Command[],
  words: readonly string[],
  sources: CompletionSources,
): Promise<Completions> => {
  const current = words.at(-1) ?? "";
  const read = readWords(commands, words.slice(0, -1));
  const found = await candidates(commands, read, current, sources);
  return found === "files" ? found : found.filter(({ word }) => word.startsWith(current));
};

type ReadWords = {
  readonly command: Command | null;
  /** Words that are neither options nor their values, the command's own not included. */
  readonly operands: readonly string[];
  /** An option whose value is being typed. */
  readonly open: OptionDefinition | null;
};

const readWords = (commands: readonly Command[], words: readonly string[]): ReadWords => {
  let open: OptionDefinition | null = null;
  const plain: string[] = [];
  const known = [...globalOptionDefinitions, ...commands.flatMap(({ options }) => options)];
  for (const word of words) {
    if (open !== null) open = null;
    else if (word.startsWith("-"))
      open = known.find(({ name, value }) => `--${name}` === word && value !== undefined) ?? null;
    else plain.push(word);
  }
  const command = commands.find(({ name }) => name.split(" ").every((part, index) => plain[index] === part)) ?? null;
  return { command, operands: command === null ? plain : plain.slice(command.name.split(" ").length), open };
};

const candidates = async (
  commands: readonly Command[],
  { command, operands, open }: ReadWords,
  current: string,
  sources: CompletionSources,
): Promise<Completions> => {
  const service = command?.arguments[0]?.completes === "services" ? (operands[0] ?? null) : null;
  if (open !== null) return valuesOf(open.completes ?? null, current, service, sources);
  if (current.startsWith("-")) return optionSuggestions(command);
  if (command === null) return commandSuggestions(commands, operands);
  const argument: ArgumentDefinition | undefined =
    command.arguments[operands.length] ?? command.arguments.find(({ repeats }) => repeats === true);
  const values = argument === undefined ? [] : await valuesOf(argument.completes, current, service, sources);
  // Where nothing else can stand, the options are what is looked for.
  return values === "files" || values.length > 0 ? values : optionSuggestions(command);
};

const valuesOf = async (
  source: CompletionSource,
  current: string,
  service: string | null,
  sources: CompletionSources,
): Promise<Completions> => {
  if (source === null) return [];
  if (source === "files") return "files";
  if (source === "services") return sources.services();
  if (source === "runs") return sources.runs();
  if (source === "marks") return sources.marks(service);
  if (source === "places") return sources.places(current);
  if (source === "components") {
    // `--only db,up`: each name after a comma is completed, and none is offered twice.
    const comma = current.lastIndexOf(",") + 1;
    const typed = current.slice(0, comma);
    const before = new Set(typed.split(","));
    const names = await sources.components(service);
    return names.filter(({ word }) => !before.has(word)).map(({ word, about }) => ({ word: typed + word, about }));
  }
  return source.map((word) => ({ word, about: "" }));
};

const optionSuggestions = (command: Command | null): readonly Suggestion[] =>
  [...(command?.options ?? []), ...globalOptionDefinitions, { name: "help", about: "say more about the command" }].map(
    ({ name, about }) => ({ word: `--${name}`, about }),
  );

/** The next word of each command that begins with what was typed: `vault`, then `init`. */
const commandSuggestions = (commands: readonly Command[], typed: readonly string[]): readonly Suggestion[] => {
  const next = new Map<string, string>();
  for (const { name, summary } of commands) {
    const parts = name.split(" ");
    const part = parts[typed.length];
    if (part === undefined || !typed.every((word, index) => parts[index] === word)) continue;
    next.set(part, parts.length === typed.length + 1 ? summary : "the place where points are kept");
  }
  return [...next].map(([word, about]) => ({ word, about }));
};
