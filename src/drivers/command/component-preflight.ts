/** What `validate --live` says of a `command` component: its tool is asked what only looks, the rest is shown. */
import type { PreflightReport } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { stableNameOf } from "./component-names.ts";
import type { CommandContext } from "./component-options.ts";
import { markSchema, positionOf } from "./component-position.ts";
import { commandSwitching } from "./component-switching.ts";
import { toolOf } from "./tool-of.ts";

type Finding = PreflightReport["findings"][number];

const presenceFinding = async (context: CommandContext): Promise<Finding> => {
  const stable = stableNameOf(context);
  const found = await toolOf(context).inspect(context, stable);
  const subject = `inspect: ${stable}`;
  return found === "done"
    ? { ok: true, subject, found: "is there" }
    : { ok: false, subject, found: `is ${found}, so nothing can be captured`, hint: "mend it, or what inspects it" };
};

const factsFinding = async (context: CommandContext): Promise<Finding> => {
  const told = await toolOf(context).facts(context, stableNameOf(context));
  if (told === null)
    return { ok: true, subject: "facts", found: "none are told, so a restored instance is compared with nothing" };
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
        hint: "see what tells its identity",
      }
    : { ok: true, subject: "switch", found: `${stable} stands for ${seen.stable}` };
};

const outputsFinding = async (context: CommandContext): Promise<readonly Finding[]> => {
  const found = await toolOf(context).outputs(context, stableNameOf(context));
  const names = new Set([...Object.keys(context.options.outputs ?? {}), ...Object.keys(found)]);
  return [...names].map((output) => {
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
  let commands: Pick<PreflightReport, "commands" | "recoveryCommands"> = { commands: [], recoveryCommands: [] };
  await ask("tool", async () => {
    const { findings: own, ...rest } = await toolOf(context).check(context);
    commands = rest;
    return own;
  });
  await ask("inspect", () => presenceFinding(context));
  await ask("facts", () => factsFinding(context));
  await ask("position", () => positionFinding(context));
  await ask("switch", () => switchFinding(context));
  await ask("outputs", () => outputsFinding(context));
  return { findings, ...commands, grants: [] };
};
