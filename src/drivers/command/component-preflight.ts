/** What `validate --live` says of a `command` component: its lines that only look are run, the others are shown. */
import type { PreflightReport } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { lookAtPlace } from "./component-instances.ts";
import { askFacts } from "./component-facts.ts";
import { stableNameOf } from "./component-names.ts";
import type { CommandContext } from "./component-options.ts";
import { outputsAt } from "./component-outputs.ts";
import { markSchema, positionOf } from "./component-position.ts";
import { commandSwitching } from "./component-switching.ts";
import { about, bindLine } from "./run-line.ts";

type Finding = PreflightReport["findings"][number];

const presenceFinding = async (context: CommandContext): Promise<Finding> => {
  const stable = stableNameOf(context);
  const found = await lookAtPlace(context, stable);
  const subject = `inspect: ${stable}`;
  return found === "done"
    ? { ok: true, subject, found: "is there" }
    : { ok: false, subject, found: `is ${found}, so nothing can be captured`, hint: "mend it, or the inspect: line" };
};

/** A shell tells only how the last program of a pipe ended. */
const pipeFinding = ({ options }: CommandContext): readonly Finding[] =>
  /(^|[^|])\|([^|]|$)/.test(options.capture) && !options.capture.includes("pipefail")
    ? [
        {
          ok: true,
          subject: "capture",
          found: "is a pipe, whose end says nothing of a failure before its last program",
          hint: "let bash tell: capture: bash -o pipefail -c '...'",
        },
      ]
    : [];

const factsFinding = async (context: CommandContext): Promise<Finding> => {
  const told = await askFacts(context, stableNameOf(context));
  if (told === null)
    return { ok: true, subject: "facts", found: "no facts: line, so a restored instance is compared with nothing" };
  const shown = Object.entries(told).map(([key, value]) => `${key} ${String(value)}`);
  return { ok: true, subject: "facts", found: shown.join(", ") };
};

const positionFinding = async (context: CommandContext): Promise<Finding> => {
  const { at } = markSchema.parse((await positionOf(context, null)).mark);
  const found = at ?? "cannot be told, so an undo cannot know what it would lose and needs --accept-loss";
  return { ok: true, subject: "position", found };
};

const switchFinding = async (context: CommandContext): Promise<Finding> => {
  const refusal = await commandSwitching.refusal?.(context);
  if (refusal !== undefined && refusal !== null)
    return { ok: true, subject: "switch", found: `${refusal}: it is captured, and restored with --no-cutover` };
  const stable = stableNameOf(context);
  const seen = await commandSwitching.observe(context, { incoming: `${stable}.none`, outgoing: `${stable}.none` });
  return seen.stable === null
    ? {
        ok: false,
        subject: "switch",
        found: `nothing is told to stand behind ${stable}`,
        hint: "see the identity: line",
      }
    : { ok: true, subject: "switch", found: `${stable} stands for ${seen.stable}` };
};

const outputsFinding = async (context: CommandContext): Promise<readonly Finding[]> => {
  const found = await outputsAt(context, stableNameOf(context));
  return Object.keys(context.options.outputs ?? {}).map((output) => {
    const bound = found[output];
    const subject = `output ${output}`;
    return bound === undefined
      ? { ok: false, subject, found: "its line fails", hint: "who binds to it cannot start; see the log" }
      : { ok: true, subject, found: bound.secret ? "[secret]" : bound.value };
  });
};

export const preflightCommand = async (context: CommandContext): Promise<PreflightReport> => {
  const findings: Finding[] = [];
  const ask = async (subject: string, look: () => Promise<Finding | readonly Finding[]>): Promise<void> => {
    try {
      findings.push(...[await look()].flat());
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof RefloatError) || error.code === "bug") throw error;
      const { message, hint } = error;
      findings.push({ ok: false, subject, found: message, ...(hint === undefined ? {} : { hint }) });
    }
  };
  const { capture, restore, inspect, identity, switch: exchange, stop, reload, drop, facts } = context.options;
  await ask("lines", async () => {
    // A reference that cannot be bound, or a secret in a command, is found here.
    for (const [key, line] of Object.entries({ capture, restore, drop, switch: exchange, stop, reload }))
      if (line !== undefined)
        await bindLine(context, line, `${key} of ${context.component}`, about(stableNameOf(context)));
    return pipeFinding(context);
  });
  await ask("inspect", () => presenceFinding(context));
  await ask("facts", () => factsFinding(context));
  await ask("position", () => positionFinding(context));
  await ask("switch", () => switchFinding(context));
  await ask("outputs", () => outputsFinding(context));
  const declared = (lines: readonly (string | undefined)[]): readonly string[] =>
    lines.filter((line) => line !== undefined);
  return {
    findings,
    commands: declared([context.options.position, facts, capture]),
    recoveryCommands: declared([inspect, restore, facts, identity, stop, exchange, reload, drop]),
    grants: [],
  };
};
