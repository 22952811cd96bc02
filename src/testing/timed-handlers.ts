/** Step handlers of every kind that only take their time and leave nothing but their output: for whoever measures the engine and not the world. */
import type { StepContext, StepHandler, StepHandlers } from "../core/ports/engine.ts";
import { stepActionSchema } from "../model/plan.ts";

export const timedHandlers = (take: (context: StepContext) => Promise<void>): StepHandlers => {
  const kinds = stepActionSchema.options.map(({ shape }) => shape.kind.value);
  const handler = (kind: (typeof kinds)[number]): StepHandler => ({
    kind,
    timeoutMs: 3_600_000,
    retries: 0,
    prepare: async () => ({}),
    check: async ({ outputs, step }) => ({ presence: outputs.has(step.id) ? "done" : "absent" }),
    clear: async () => undefined,
    apply: async (context) => {
      await take(context);
      return { kind: "done", output: {} };
    },
    compensate: async () => undefined,
  });
  return Object.fromEntries(kinds.map((kind) => [kind, handler(kind)])) as unknown as StepHandlers;
};
