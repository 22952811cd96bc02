/** try: does the release work on the restored data? Asked on a free port, before anything live is touched. */
import { toJsonObject } from "../model/json.ts";
import { type MakeHandler, numberOf, ownOutput, stepTimeoutMs, textOf } from "./step-bench.ts";
import { endTrial, prepareTrial, tryRelease } from "./trial.ts";

export const createTryStep: MakeHandler<"try"> = (parts) => ({
  kind: "try",
  timeoutMs: stepTimeoutMs.server,
  retries: 1,

  prepare: (context) => prepareTrial(parts, context),

  check: async (context) => {
    const output = ownOutput(context);
    return output === undefined ? { presence: "partial" } : { presence: "done", output };
  },

  clear: (context) => endTrial(parts, context),

  apply: async (context) => {
    const { component } = context.action;
    const port = numberOf(context.intent, "port");
    if (port === null) {
      const hint = "declare a second one, such as ports: 8081-8082, or free it";
      return { kind: "failed", message: `${component} has no free port to be tried on`, hint, output: {} };
    }
    const label = textOf(context.intent, "label");
    const trial = await tryRelease(parts, context, port);
    const output = toJsonObject({ label, port, outcomes: trial.outcomes });
    if (trial.passed) return { kind: "done", output };
    return {
      kind: "failed",
      message: `${component} ${label} does not work on the restored data: ${trial.why}`,
      hint: `if the release needs a newer schema, declare migrate: for ${component}; or choose a later point; or recover ${component} too`,
      output,
    };
  },

  compensate: (context) => endTrial(parts, context),
});
