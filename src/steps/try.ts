/** try: does the release work on the restored data? Asked on a free port, before anything live is touched. */
import { toJsonObject } from "../model/json.ts";
import { type MakeHandler, ownOutput, stepTimeoutMs, textOf } from "./step-bench.ts";
import { endTrial, freePort, releaseFolder, tryRelease } from "./trial.ts";

export const createTryStep: MakeHandler<"try"> = (parts) => ({
  kind: "try",
  timeoutMs: stepTimeoutMs.server,
  retries: 1,

  prepare: async (context) => {
    const release = await releaseFolder(parts, context);
    const port = await freePort(parts, context);
    return {
      name: `${context.action.component}_try${context.run.number}`,
      release: release.path,
      label: release.label,
      port,
    };
  },

  check: async (context) => {
    const output = ownOutput(context);
    return output === undefined ? { presence: "partial" } : { presence: "done", output };
  },

  clear: (context) => endTrial(parts, context, textOf(context.intent, "name")),

  apply: async (context) => {
    const { port } = context.intent;
    const { component } = context.action;
    if (typeof port !== "number") {
      return {
        kind: "failed",
        message: `${component} has no free port to be tried on`,
        hint: `declare a second one, such as ports: 8081-8082, or free it`,
        output: {},
      };
    }
    const label = textOf(context.intent, "label");
    const trial = await tryRelease(parts, context, {
      name: textOf(context.intent, "name"),
      release: textOf(context.intent, "release"),
      port,
    });
    const output = toJsonObject({ label, port, outcomes: trial.outcomes });
    return trial.passed
      ? { kind: "done", output }
      : {
          kind: "failed",
          message: `${component} ${label} does not work on the restored data: ${trial.why}`,
          hint: `if the release needs a newer schema, declare migrate: for ${component}; or choose a later point; or recover ${component} too`,
          output,
        };
  },

  compensate: (context) => endTrial(parts, context, textOf(context.intent, "name")),
});
