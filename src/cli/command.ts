/**
 * What a command is: its words, its help and its act, as data. The parser, `--help`, completion and docs/commands.md all read this,
 * so that none of them can say what another does not.
 */
import type { z } from "zod";
import { type ResultData, envelope } from "../contract/envelope.ts";
import type { ResultKind } from "../contract/result-schemas.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { RefloatError } from "../model/refloat-error.ts";
import type { ExitCode } from "./exit-code.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { Output } from "./output.ts";
import { readInput } from "./read-input.ts";
import type { Shell } from "./shell.ts";

/** What the shell may complete a word with; `null` where nothing can be known. */
export type CompletionSource =
  | "services"
  | "components"
  | "runs"
  | "marks"
  | "places"
  | "files"
  | readonly string[]
  | null;

export type ArgumentDefinition = {
  /** As in the help: `SERVICE`. Its value is passed under the name in lower case. */
  readonly name: string;
  readonly about: string;
  readonly required: boolean;
  /** Takes all that follow, as a list. Only the last one. */
  readonly repeats?: true;
  readonly completes: CompletionSource;
};

export type OptionDefinition = {
  /** Long spelling without dashes: `no-cutover`. Its value is passed in camel case; `no-x` as `x: false`. */
  readonly name: string;
  /** What stands after it: `TEXT`; absent for a switch. */
  readonly value?: string;
  readonly repeatable?: boolean;
  readonly about: string;
  readonly completes?: CompletionSource;
};

export type CommandGroup = "At 3 a.m." | "Just one thing" | "Every day" | "Machinery";

/** What a command hands back; who prints it decides between text and JSON. */
export type CommandResult = {
  /** The answer with `--json`. */
  readonly envelope: object;
  /** The screen for people, without a trailing newline. */
  readonly text: string;
  readonly exit: ExitCode;
  /** What went wrong although there is an answer: a run that failed has a report all the same. */
  readonly error: RefloatError | null;
};

/** @param error decides the exit code; 0 without one */
export const answer = <Kind extends ResultKind>(
  kind: Kind,
  data: ResultData<Kind>,
  text: string,
  error: RefloatError | null = null,
): CommandResult => {
  const exit = error === null ? 0 : error.entry.exit;
  return { envelope: envelope(kind, data, { exit, error }), text, exit, error };
};

export type CommandContext = {
  readonly shell: Shell;
  readonly global: GlobalOptions;
  readonly output: Output;
  /** What turns a command into the one that has to be typed, where other options than those of this command name file and vault. */
  readonly typedWith: (global: GlobalOptions) => (line: string) => string;
  /** Opens the workbench at the first call; the same one afterwards. Interrupted runs are told on the way. */
  readonly bench: () => Promise<Workbench>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
};

type Words = {
  /** `recover`, `vault init`. */
  readonly name: string;
  readonly group: CommandGroup;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Paragraphs: what it does, what it changes, what it never does. */
  readonly about: readonly string[];
  readonly arguments: readonly ArgumentDefinition[];
  readonly options: readonly OptionDefinition[];
  readonly examples: readonly { readonly line: string; readonly about: string }[];
  /** Exit codes it can end with, besides 2 and 70, which each can. */
  readonly exits: readonly ExitCode[];
  /** False for what is no work on services, and must not be preceded by the tale of unfinished runs. */
  readonly tellsRuns?: false;
};

/** A command as the parser holds it: its input's type is hidden behind `run`. */
export type Command = Words & {
  /** @throws RefloatError usage when an argument or option has a wrong form */
  readonly run: (input: Readonly<Record<string, unknown>>, context: CommandContext) => Promise<CommandResult>;
};

/** @param options.input the form of arguments and options together; its messages are shown to people */
export const defineCommand = <Input>(
  options: Words & {
    readonly input: z.ZodType<Input>;
    readonly act: (input: Input, context: CommandContext) => Promise<CommandResult>;
  },
): Command => ({
  ...options,
  run: (raw, context) => options.act(readInput(options.name, options.input, raw), context),
});
