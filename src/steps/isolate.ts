/**
 * isolate: an old side that no component stops acknowledges nothing any more. A command does it and a proof shows it; where neither can, a
 * named person says so, in the audit log. A command is begun once: again only where its proof has shown since that it did not do it, and never
 * after a person has answered.
 */
import type { StepContext, StepResult } from "../core/ports/engine.ts";
import { parseDuration } from "../core/time/duration.ts";
import type { FenceDeclaration } from "../model/declaration.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { SpokenWord } from "../model/run-word.ts";
import { bindCommand } from "../platform/bind-command.ts";
import { bindEnvironment } from "../platform/bound-environment.ts";
import { describeEnd, lastLines, runShellLine } from "../platform/shell-line.ts";
import {
  type Action,
  type MakeHandler,
  type StepParts,
  nothing,
  ownOutput,
  stepTimeoutMs,
  textIn,
  withStep,
} from "./step-bench.ts";
import { untilAnswered } from "./until-answered.ts";

type Context = StepContext<Action<"isolate">>;

const declared = (context: Context): FenceDeclaration | undefined =>
  context.plan.declaration.fence?.find(({ name }) => name === context.action.name);

/** @returns null when the line ended with 0, else what it ended with and said */
const run = (parts: StepParts, context: Context, what: string, line: string): Promise<string | null> =>
  withStep(parts, context, async (access) => {
    const { environment, timeout } = declared(context) ?? {};
    const bind = access.bind(null);
    const { variables, secrets } = await bindEnvironment(bind, environment);
    const result = await runShellLine(await bindCommand(bind, line, `${what} of ${context.action.name}`), {
      signal: context.signal,
      marker: context.marker,
      environment: variables,
      secrets,
      timeoutMs: parseDuration(timeout ?? "60s") ?? 60_000,
    });
    const end = describeEnd(result);
    return end === null ? null : [end, lastLines(result.output, 3)].filter((text) => text !== "").join(": ");
  });

const isProven = async (parts: StepParts, context: Context): Promise<boolean> =>
  context.action.proof !== undefined && (await run(parts, context, "proof", context.action.proof)) === null;

export const createIsolateStep: MakeHandler<"isolate"> = (parts) => ({
  kind: "isolate",
  timeoutMs: stepTimeoutMs.person,
  retries: 0,
  prepare: async (context) => ({ wasOff: await isProven(parts, context) }),

  check: async (context) => {
    const output = ownOutput(context);
    // What a person has said is not asked again; what a proof can show is.
    if (output?.["by"] !== undefined) return { presence: "done", output };
    if (context.action.proof === undefined)
      return output === undefined ? { presence: "absent" } : { presence: "done", output };
    return (await isProven(parts, context))
      ? { presence: "done", output: output ?? { how: "its proof passes" } }
      : { presence: "absent" };
  },

  clear: nothing,
  apply: (context) => fenceOff(parts, context),

  compensate: async (context) => {
    const { name, release } = context.action;
    const why = staysOff(context);
    if (release === undefined || why !== null) {
      await context.warn(`${name} stays fenced off: ${why ?? "no release: is declared"}; let it work again by hand`);
      return;
    }
    const failure = await run(parts, context, "release", release);
    if (failure !== null) throw new RefloatError("program.failed", `the release of ${name} failed: ${failure}`);
  },
});

/** What was off before the run, or what a person alone has switched off, is for whoever did that. */
const staysOff = ({ intent, action }: Context): string | null => {
  if (intent["wasOff"] === true) return "it was before the run";
  return action.command === undefined ? "a person did that" : null;
};

const begunBefore = "its command was begun before, and how it ended is not known";

const fenceOff = async (parts: StepParts, context: Context): Promise<StepResult> => {
  const { command, proof } = context.action;
  if (command === undefined) {
    const why = context.action.unusable ?? "no command is declared";
    // The check has just asked it.
    return attest(parts, context, proof === undefined ? why : `${why}, and its proof fails`);
  }
  const known = textIn(context.waited ?? undefined, "why");
  // Who has answered has answered: nothing is switched once more behind that person's back.
  if (judge(await context.words()) !== null) return attest(parts, context, known ?? begunBefore);
  if (context.attempt > 1 && proof === undefined)
    return attest(parts, context, known ?? `${begunBefore}, and no proof is declared`);
  const failure = await run(parts, context, "command", command);
  if (failure !== null) return attest(parts, context, `its command failed: ${failure}`);
  if (proof === undefined) return { kind: "done", output: { how: "by its command" } };
  return (await isProven(parts, context))
    ? { kind: "done", output: { how: "by its command, and its proof passes" } }
    : attest(parts, context, "its command ended well, and its proof fails");
};

const judge = (words: readonly SpokenWord[]): SpokenWord | null =>
  words.findLast(({ says }) => says === "done" || says === "failed") ?? null;

const attest = async (parts: StepParts, context: Context, why: string): Promise<StepResult> => {
  const { name, expect = "it is without power or network, and cannot acknowledge a write" } = context.action;
  const question = `${name} is not proven to be dead (${why}). Have you seen that ${expect}?`;
  const word = await untilAnswered(context, {
    judge,
    ask: async (_words, signal) => {
      context.progress({ note: question });
      const me = await parts.person();
      const evidence = await parts.attendant.perform(question, true, signal);
      return evidence === null ? "nobody" : { says: "done", by: me.name, roles: [...me.roles], evidence };
    },
  });
  const { number } = context.run;
  if (word === null) {
    const next = `refloat done ${number} ${context.step.id} --evidence "what you saw", and refloat resume ${number}`;
    return { kind: "waiting", for: "person", message: `${question} Then: ${next}`, keep: { why } };
  }
  const { by, evidence = "" } = word;
  const output = { by, evidence, why };
  if (word.says === "failed")
    return { kind: "failed", message: `${by} has not seen that ${name} is dead: ${evidence}`, hint: why, output };
  await context.warn(`${name} was fenced off by the word of ${by}: ${evidence} (${why})`);
  return { kind: "done", output };
};
