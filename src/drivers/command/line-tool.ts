/** Declared lines as the tool of a component: one stream, on standard output and input; what a line is about is in its environment. */
import type { BoundOutput, Outputs, Presence, PreflightReport } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { openShellPipe } from "../../platform/shell-pipe.ts";
import { stableNameOf } from "./component-names.ts";
import { type CommandComponentOptions, dataTimeoutMs } from "./component-options.ts";
import { parseFacts } from "./parse-facts.ts";
import { type LineContext, about, askLine, bindLine, lineOf, runLine, runRawLine } from "./run-line.ts";
import type { Tool } from "./tool.ts";

const presences: ReadonlySet<string> = new Set<Presence>(["absent", "partial", "done"]);

/** What an inspect line has said. @throws RefloatError program.failed when that is none of the three */
export const presenceIn = ({ component }: LineContext, name: string, said: string): Presence => {
  if (presences.has(said)) return said as Presence;
  throw new RefloatError(
    "program.failed",
    `inspect of ${component} says ${said === "" ? "nothing" : `"${said}"`} of ${name}, which is none of absent, partial and done`,
  );
};

/** A line may print nothing where there is nothing. */
const orNull = (said: string): string | null => (said === "" ? null : said);

const limitOf = (options: CommandComponentOptions) => {
  const timeoutMs = dataTimeoutMs(options);
  return timeoutMs === null ? {} : { timeoutMs };
};

const streamName = "data";

const capture: Tool["capture"] = async (context, sink, root, progress) => {
  const { component, options, signal } = context;
  const what = `capture of ${component}`;
  const { line, settings } = await bindLine(context, lineOf(options, "capture"), what, about(stableNameOf(context)));
  const pipe = openShellPipe(line, { ...settings, what, ...limitOf(options) });
  try {
    const source = { bytes: pipe.bytes, seal: async () => pipe.seal().then(() => ({})) };
    const { sizeBytes, sha256 } = await sink.stream(`${root}/${streamName}`, source, signal, progress);
    return { streams: [{ name: streamName, sizeBytes, sha256 }], versions: {}, warnings: [] };
  } finally {
    pipe.close();
  }
};

const restore: Tool["restore"] = async (context, { name, run, runUid }, [source]) => {
  if (source === undefined) throw new RefloatError("point.damaged", `the point has no data of ${context.component}`);
  const what = `restore of ${context.component}`;
  const told = { ...about(name), REFLOAT_RUN: String(run), REFLOAT_RUN_UID: runUid } as const;
  const { line, settings } = await bindLine(context, lineOf(context.options, "restore"), what, told);
  const pipe = openShellPipe(line, { ...settings, what, isFed: true, ...limitOf(context.options) });
  try {
    await pipe.feed(source.bytes);
    await pipe.seal();
    return { warnings: [] };
  } finally {
    pipe.close();
  }
};

type DeclaredOutput = NonNullable<CommandComponentOptions["outputs"]>[string];

const askOutput = async (
  context: LineContext,
  name: string,
  output: string,
  declared: DeclaredOutput,
): Promise<BoundOutput> => {
  const { stdout, secrets } = await runRawLine(context, {
    declared: typeof declared === "string" ? declared : declared.line,
    what: `output ${output} of ${context.component}`,
    told: about(name),
    limit: "ask",
  });
  const value = stdout.replace(/\r?\n$/, "");
  const isSecret = typeof declared !== "string" && declared.secret;
  // A value that holds what was given as a secret is one, whether that was declared or not.
  return { value, secret: isSecret || secrets.some((secret) => secret !== "" && value.includes(secret)) };
};

/** A line that fails, as it may where nothing runs, leaves its output out: who needs it is told that it is not there. */
export const askOutputs = async (
  context: LineContext,
  name: string,
  outputs: CommandComponentOptions["outputs"] = {},
): Promise<Outputs> => {
  const found: Record<string, BoundOutput> = { name: { value: name, secret: false } };
  for (const [output, declared] of Object.entries(outputs)) {
    try {
      found[output] = await askOutput(context, name, output, declared);
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
      context.log.warn(error.message, { component: context.component, output });
    }
  }
  return found;
};

/** A shell tells only how the last program of a pipe ended. */
const pipeFinding = (line: string): PreflightReport["findings"] =>
  /(^|[^|])\|([^|]|$)/.test(line) && !line.includes("pipefail")
    ? [
        {
          ok: true,
          subject: "capture",
          found: "is a pipe, whose end says nothing of a failure before its last program",
          hint: "let bash tell: capture: bash -o pipefail -c '...'",
        },
      ]
    : [];

const declaredLines = (lines: readonly (string | undefined)[]): readonly string[] =>
  lines.filter((line) => line !== undefined);

export const lineTool: Tool = {
  capture,
  restore,
  inspect: async (context, name) => presenceIn(context, name, await askLine(context, "inspect", about(name))),
  drop: async (context, name) => void (await runLine(context, "drop", about(name), "act")),
  facts: async (context, name) =>
    context.options.facts === undefined
      ? null
      : parseFacts(context.component, await runLine(context, "facts", about(name))),
  position: async (context, name) => orNull(await askLine(context, "position", about(name))),
  outputs: (context, name) => askOutputs(context, name, context.options.outputs),
  canSwitch: async ({ options }) => options.switch !== undefined,
  identity: async (context, name) => orNull(await askLine(context, "identity", about(name))),
  exchange: async (context, { incoming, outgoing, expected }) => {
    const told = {
      ...about(stableNameOf(context)),
      // Empty: nothing stood there before the recovery that is undone, so nothing is put there.
      REFLOAT_INCOMING: incoming ?? "",
      REFLOAT_OUTGOING: outgoing,
      REFLOAT_EXPECTED_STABLE: expected.stable ?? "",
      REFLOAT_EXPECTED_INCOMING: expected.incoming ?? "",
    } as const;
    await runLine(context, "switch", told, "act");
  },
  stop: async (context) => void (await runLine(context, "stop", about(stableNameOf(context)), "act")),
  reload: async (context) => void (await runLine(context, "reload", about(stableNameOf(context)), "act")),
  check: async (context) => {
    const { identity, switch: exchange, stop, reload, facts, position } = context.options;
    const [capturing, restoring, inspecting, dropping] = (["capture", "restore", "inspect", "drop"] as const).map(
      (key) => lineOf(context.options, key),
    );
    const acting = { capture: capturing, restore: restoring, drop: dropping, switch: exchange, stop, reload };
    // A reference that cannot be bound, or a secret in a command, is found here.
    for (const [key, line] of Object.entries(acting))
      if (line !== undefined)
        await bindLine(context, line, `${key} of ${context.component}`, about(stableNameOf(context)));
    return {
      findings: pipeFinding(capturing ?? ""),
      commands: declaredLines([position, facts, capturing]),
      recoveryCommands: declaredLines([inspecting, restoring, facts, identity, stop, exchange, reload, dropping]),
    };
  },
};
