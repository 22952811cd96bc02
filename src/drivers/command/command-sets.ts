/**
 * Sets that a program prints, one value per line: `command` starts the program itself, `shell` gives a line to /bin/sh. What it prints counts only when it
 * ends with exit status 0; anything may come instead, and is refused.
 */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { SetContext, SetDriver } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { type GroupOptions, type ProcessGroup, startGroup } from "../../platform/process-group.ts";
import { asSetLines, createAllowance, readLines, setLimitBytes } from "../../platform/set-lines.ts";
import { describeEnd, drainMs, keepEnd, lastLines, redact, startShell } from "../../platform/shell-line.ts";
import { outputVariables } from "./output-variables.ts";

const commandSchema = z
  .strictObject({
    command: z
      .array(z.string())
      .min(1)
      .meta({
        description:
          "A program and its arguments, started without a shell: each line that it prints is a value. REFLOAT_URL, REFLOAT_PATH and the like are in its environment.",
        examples: [["/usr/local/bin/list-archive", "--year", "2026"]],
      }),
  })
  .meta({ description: "Values that a program prints, one per line." });
type CommandOptions = z.infer<typeof commandSchema>;

const shellSchema = z
  .strictObject({
    shell: z
      .string()
      .min(1)
      .meta({
        description:
          "Line for /bin/sh: each line that it prints is a value. REFLOAT_URL, REFLOAT_PATH and the like are in its environment.",
        examples: ["cut -d, -f1 /srv/archive/index.csv"],
      }),
  })
  .meta({ description: "Values that a line of the shell prints, one per line." });
type ShellOptions = z.infer<typeof shellSchema>;

const lineLength = 65_536;

/** @param words for errors */
const printedValues = async function* (
  context: SetContext,
  words: string,
  start: (options: GroupOptions) => ProcessGroup,
): AsyncIterable<string> {
  const { variables, secrets } = outputVariables(context.outputs);
  const { signal, marker, timeoutMs } = context;
  const group = start({ signal, marker, timeoutMs, environment: variables });
  let said = "";
  group.stderr.setEncoding("utf8").on("data", (text: string) => (said = keepEnd(said, text)));
  const refuse = (why: string, hint: string): RefloatError => {
    const tail = lastLines(redact(said, secrets), 5);
    return new RefloatError("program.failed", `"${words}" ${why}${tail === "" ? "" : `: ${tail}`}`, { hint });
  };
  try {
    const limits = { lineLength, allowance: createAllowance("its output", setLimitBytes) };
    for await (const { text } of readLines(group.stdout as ByteStream, "its output", limits)) {
      yield text;
      signal.throwIfAborted();
    }
    const end = describeEnd(await ended(group));
    signal.throwIfAborted();
    if (end !== null)
      throw refuse(
        end === "took too long" ? `has not ended in ${timeoutMs / 1_000} s` : `failed: ${end}`,
        end === "took too long"
          ? "allow more by timeout:, or let it print fewer values"
          : "run it by hand, as the user who runs refloat; what it printed before does not count",
      );
  } catch (error) {
    signal.throwIfAborted();
    // What kept it from being started says more than an output that was never there.
    if (!(error instanceof RefloatError)) await group.exited;
    if (!(error instanceof RefloatError) || error.code !== "source.unsupported") throw error;
    throw refuse(`prints what is no list of values: ${error.message}`, error.hint ?? "it prints one value per line");
  } finally {
    group.release();
  }
};

/** Its output is closed: what is left is its end, unless it has closed it by itself and goes on. */
const ended = async (group: ProcessGroup) => {
  const [exitCode, endedBy] = await group.exited;
  await Promise.race([group.closed, delay(drainMs, undefined, { ref: false })]);
  return { exitCode, endedBy, timedOut: group.hasTimedOut() };
};

export const commandSet: SetDriver<CommandOptions> = {
  kind: "command",
  summary: "Values that a program prints, one per line; no shell.",
  options: commandSchema,
  values: (context, options) =>
    asSetLines(
      (async function* () {
        const words: string[] = [];
        for (const word of options.command) words.push(await bindCommand(context.bind, word, "command of a set"));
        const [program = "", ...args] = words;
        yield* printedValues(context, words.join(" "), (given) =>
          startGroup([program, ...args], given, { stdin: false, data: false }),
        );
      })(),
    ),
};

export const shellSet: SetDriver<ShellOptions> = {
  kind: "shell",
  summary: "Values that a line of the shell prints, one per line.",
  options: shellSchema,
  values: (context, options) =>
    asSetLines(
      (async function* () {
        const line = await bindCommand(context.bind, options.shell, "shell line of a set");
        yield* printedValues(context, line, (given) => startShell(line, given, "nothing"));
      })(),
    ),
};
