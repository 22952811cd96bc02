/** Runs the lines of a `command` component: what is told to them by their environment, what their end means, and no secret in either. */
import type { DriverContext } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { bindEnvironment } from "../../platform/bound-environment.ts";
import { runAsUser } from "../../platform/run-as.ts";
import {
  type ShellLineOptions,
  describeEnd,
  hintOfEnd,
  lastLine,
  lastLines,
  redact,
  runShellLine,
} from "../../platform/shell-line.ts";
import { stableNameOf } from "./component-names.ts";
import type { CommandComponentOptions, CommandContext, LineKey } from "./component-options.ts";

/** Variables that a line gets beside REFLOAT_STABLE and the declared ones. */
export type Told = Readonly<Record<`REFLOAT_${string}`, string>>;

export const about = (name: string): Told => ({ REFLOAT_NAME: name });

/** What lines are run for: a component, or what is provisioned. */
export type LineContext = DriverContext<Pick<CommandComponentOptions, "name" | "environment" | "user">>;

export type BoundLine = {
  readonly line: string;
  readonly settings: ShellLineOptions & { readonly secrets: readonly string[] };
};

/** @param what for errors: `capture of search` */
export const bindLine = async (
  context: LineContext,
  declared: string,
  what: string,
  told: Told,
): Promise<BoundLine> => {
  const { bind, options, signal, marker } = context;
  const line = await bindCommand(bind, declared, what);
  const { variables, secrets } = await bindEnvironment(bind, options.environment);
  const other = options.user === undefined ? null : await runAsUser(options.user, signal);
  return {
    line,
    settings: {
      signal,
      marker,
      environment: { ...other?.environment, ...variables, REFLOAT_STABLE: stableNameOf(context), ...told },
      ...(other === null ? {} : { prefix: other.prefix }),
      secrets,
    },
  };
};

/** What only looks answers in a minute; what acts may have to wait for a server to stop. */
const limitsMs = { ask: 60_000, act: 10 * 60_000 } as const;

/**
 * @returns the end of its standard output, with secrets in it as they are
 * @throws RefloatError program.failed, program.missing
 */
export const runRawLine = async (
  context: LineContext,
  request: {
    readonly declared: string;
    readonly what: string;
    readonly told: Told;
    readonly limit: keyof typeof limitsMs;
    /** In place of that of the limit. */
    readonly timeoutMs?: number;
    /** What it starts and leaves running is meant to stay, and is not swept away with what an attempt left. */
    readonly mayLeaveDaemon?: boolean;
  },
): Promise<{ readonly stdout: string; readonly secrets: readonly string[] }> => {
  const { declared, what, told, limit, timeoutMs = limitsMs[limit], mayLeaveDaemon = limit === "act" } = request;
  const { line, settings } = await bindLine(context, declared, what, told);
  const { secrets } = settings;
  const result = await runShellLine(line, { ...settings, secrets: [], timeoutMs, mayLeaveDaemon });
  const end = describeEnd(result);
  if (end === null) return { stdout: result.stdout, secrets };
  const said = lastLines(redact(result.output, secrets), 5);
  throw new RefloatError("program.failed", `the ${what} failed: ${end}${said === "" ? "" : `: ${said}`}`, {
    context: { component: context.component, line: declared },
    ...hintOfEnd(result),
  });
};

/** The same of a line under a key of the component. @returns what it printed, secrets replaced; empty where none is declared */
export const runLine = async (
  context: CommandContext,
  key: LineKey,
  told: Told,
  limit: keyof typeof limitsMs = "ask",
): Promise<string> => {
  const declared = context.options[key];
  if (declared === undefined) return "";
  const { stdout, secrets } = await runRawLine(context, {
    declared,
    what: `${key} of ${context.component}`,
    told,
    limit,
  });
  return redact(stdout, secrets);
};

/** A line without which nothing can be done. The schema asks for it where no plugin is declared. */
export const lineOf = (options: CommandComponentOptions, key: LineKey): string => {
  const line = options[key];
  if (line === undefined) throw new RefloatError("bug", `a component without a plugin declares no ${key}`);
  return line;
};

const answerCharacters = 500;

/** Its last line: an answer that is kept, compared and printed. @throws RefloatError program.failed */
export const askLine = async (context: CommandContext, key: LineKey, told: Told): Promise<string> => {
  const said = lastLine(await runLine(context, key, told));
  // oxlint-disable-next-line no-control-regex -- what would steer the terminal that it is printed on
  if (said.length <= answerCharacters && !/[\u0000-\u0008\u000B-\u001F\u007F]/.test(said)) return said;
  throw new RefloatError(
    "program.failed",
    `${key} of ${context.component} prints what is no answer: more than ${answerCharacters} characters in a line, or control characters`,
  );
};
