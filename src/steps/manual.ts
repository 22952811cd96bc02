/** manual: a person does what the declaration says, and says what was seen. Nothing is taken back: what a person did, a person undoes. */
import type { StepContext, StepResult } from "../core/ports/engine.ts";
import type { SpokenWord } from "../model/run-word.ts";
import {
  type Action,
  type MakeHandler,
  type StepParts,
  noIntent,
  nothing,
  presenceByOutput,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";
import { untilAnswered } from "./until-answered.ts";

export const createManualStep: MakeHandler<"manual"> = (parts) => ({
  kind: "manual",
  timeoutMs: stepTimeoutMs.person,
  retries: 0,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,
  apply: (context) => perform(parts, context),
  compensate: nothing,
});

type Context = StepContext<Action<"manual">>;

/** The declared text with the addresses as they are now. A text that would show a secret stays as it was written. */
const boundText = (parts: StepParts, context: Context, text: string): Promise<string> =>
  withStep(parts, context, async (access) => {
    const bound = await access.bind(null)(text);
    return bound.secret ? text : bound.value;
  });

const judge = (words: readonly SpokenWord[]): SpokenWord | null =>
  words.findLast(({ says }) => says === "done" || says === "failed" || says === "skip") ?? null;

const perform = async (parts: StepParts, context: Context): Promise<StepResult> => {
  const { name, do: declared, expect } = context.action;
  const instructions = await boundText(parts, context, declared);
  const expected = expect === undefined ? "" : await boundText(parts, context, expect);
  const text = expected === "" ? instructions : `${instructions} Expect: ${expected}`;
  const word = await untilAnswered(context, {
    judge,
    ask: async (_words, signal) => {
      context.progress({ note: text });
      const me = await parts.person();
      const evidence = await parts.attendant.perform(`${name}: ${text}`, expect !== undefined, signal);
      return evidence === null ? "nobody" : { says: "done", by: me.name, roles: [...me.roles], evidence };
    },
  });
  if (word === null) {
    const run = context.run.number;
    const message = `${name}: ${text} Then: refloat done ${run} ${context.step.id} --evidence "what you saw", and refloat resume ${run}`;
    return { kind: "waiting", for: "person", message };
  }
  const { by, evidence = "", reason } = word;
  if (word.says === "skip") return { kind: "skipped", message: `skipped by ${by}: ${reason ?? ""}` };
  const output = { by, evidence };
  return word.says === "done"
    ? { kind: "done", output }
    : { kind: "failed", message: `${by} could not do it: ${evidence}`, hint: instructions, output };
};
