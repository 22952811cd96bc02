/**
 * The command line from its words to its exit code: parses, runs one command, prints its answer or its error, and leaves nothing
 * open. Knows no command by name; they come as a table.
 */
import { errorData, errorEnvelope } from "../contract/envelope.ts";
import { shellWord } from "../core/text/shell-word.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import { answerCompletion } from "./answer-completion.ts";
import { commandsAsTyped, withTypedCommand } from "./as-typed.ts";
import type { Command, CommandResult } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { completionCommandName } from "./completion-scripts.ts";
import { errorText } from "./error-text.ts";
import { type ExitCode, exitOfError } from "./exit-code.ts";
import { type GlobalOptions, logTarget, readGlobalOptions } from "./global-options.ts";
import { type Interruption, listenForInterrupts } from "./interruption.ts";
import { lazyWorkbench } from "./open-workbench.ts";
import { withNextStep } from "./next-after-error.ts";
import { type Output, createOutput, widthOf } from "./output.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type ParsedLine, parseCommandLine } from "./parse-command-line.ts";
import { runNumberInput } from "./run-number.ts";
import type { Shell } from "./shell.ts";

/** @returns the exit code; never throws */
export const runCommandLine = async (
  argv: readonly string[],
  shell: Shell,
  commands: readonly Command[] = commandTable,
): Promise<ExitCode> => {
  if (argv[0] === completionCommandName) {
    await answerCompletion(commands, argv.slice(argv[1] === "--" ? 2 : 1), shell);
    return 0;
  }
  let line: ParsedLine;
  try {
    line = parseCommandLine(commands, argv, { version: shell.version, width: widthOf(shell.stdout) });
  } catch (thrown) {
    const raw = { json: argv.includes("--json"), color: !argv.includes("--no-color") };
    const global = readGlobalOptions(raw, shell);
    const output = createOutput(shell, { ...global, logOnStderr: false, asTyped: typedHere(global, shell) });
    return fail(toRefloatError(thrown), null, output, shell);
  }
  return line.kind === "command" ? runCommand(line, shell) : tell(line, shell);
};

const typedHere = (global: GlobalOptions, { program }: Shell): ((line: string) => string) =>
  commandsAsTyped(
    global,
    commandTable.map(({ name }) => name.split(" ")[0] ?? name),
    program,
  );

/** Help that was asked for is an answer; help because no command was named is a hint. */
const tell = async (line: Extract<ParsedLine, { kind: "text" }>, shell: Shell): Promise<ExitCode> => {
  const output = createOutput(shell, { json: false, color: false, logOnStderr: false });
  const text = line.text.trimEnd();
  if (line.wanted) output.answer(text);
  else output.note(text);
  await output.flush();
  return line.wanted ? 0 : exitOfError("usage");
};

const runCommand = async (line: Extract<ParsedLine, { kind: "command" }>, shell: Shell): Promise<ExitCode> => {
  const { command, input } = line;
  const global = readGlobalOptions(line.global, shell);
  const output = createOutput(shell, {
    ...global,
    logOnStderr: logTarget(global, shell) === "-",
    asTyped: typedHere(global, shell),
  });
  const interruption = listenForInterrupts(shell, {
    note: output.note,
    killedExit: exitOfError("interrupted"),
    clock: systemClock,
  });
  const workbench = lazyWorkbench({
    shell,
    global,
    output,
    about: Number(input["run"]) || null,
    tellsRuns: command.tellsRuns ?? true,
  });
  const { signal } = interruption;
  try {
    const typedWith = (named: GlobalOptions) => typedHere(named, shell);
    const context = { shell, global, output, typedWith, bench: workbench.open, signal };
    const outcome = await settle(() => command.run(input, context));
    const closed = await settle(workbench.close);
    output.frame(null);
    const told = (error: RefloatError): Promise<ExitCode> =>
      fail(withNextStep(error, serviceOf(input)), command, output, shell);
    if (!outcome.ok) return await told(asInterruption(outcome.thrown, interruption));
    if (!closed.ok) return await told(toRefloatError(closed.thrown));
    return await succeed(outcome.value, command, output, shell);
  } finally {
    interruption.stop();
  }
};

/** As a shell takes it. `rearm` may be given a run instead. */
const serviceOf = ({ service }: Readonly<Record<string, unknown>>): string | null =>
  typeof service === "string" && !runNumberInput.safeParse(service).success ? shellWord(service) : null;

type Settled<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly thrown: unknown };

const settle = async <Value>(act: () => Promise<Value>): Promise<Settled<Value>> => {
  try {
    return { ok: true, value: await act() };
  } catch (thrown) {
    return { ok: false, thrown };
  }
};

/** What fell over because it was told to stop is told as that, whatever a driver made of it. */
const asInterruption = (thrown: unknown, { signal }: Interruption): RefloatError => {
  const error = toRefloatError(thrown);
  if (!signal.aborted || error.code === "interrupted") return error;
  return new RefloatError("interrupted", toRefloatError(signal.reason).message, {
    cause: error,
    ...(error.state === undefined ? {} : { state: error.state }),
  });
};

const succeed = async (ended: CommandResult, command: Command, output: Output, shell: Shell): Promise<ExitCode> => {
  const result = asTypedHere(ended, output);
  // The error first: a report ends in what to type next.
  if (result.error !== null) output.note(describe(result.error, output, shell));
  output.answer(result.text);
  output.event(result.envelope);
  const lost = await output.flush();
  if (lost === null) return result.exit;
  const error = new RefloatError("output.failed", `the answer could not be written: ${lost.message}`, {
    cause: lost,
    state: `refloat ${command.name} itself has ended with ${result.exit}`,
  });
  return result.exit === 0 ? fail(error, command, output, shell) : result.exit;
};

const asTypedHere = (result: CommandResult, { asTyped }: Output): CommandResult => {
  const error = result.error === null ? null : withTypedCommand(result.error, asTyped);
  if (error === result.error || error === null) return result;
  return { ...result, error, envelope: { ...result.envelope, error: errorData(error) } };
};

const fail = async (thrown: RefloatError, command: Command | null, output: Output, shell: Shell): Promise<ExitCode> => {
  const error = withTypedCommand(thrown, output.asTyped);
  output.note(describe(error, output, shell));
  output.event(errorEnvelope(error, command?.name ?? null));
  await output.flush();
  return exitOfError(error.code);
};

const describe = (error: RefloatError, output: Output, { currentDirectory }: Shell): string =>
  errorText(error, { paint: output.errorScreen("UTC").paint, currentDirectory });
