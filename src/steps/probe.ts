/** probe: asks the stable name as a user would, until it answers right several times in a row. */
import { toJsonObject } from "../model/json.ts";
import type { CheckOutcome } from "../model/outcome.ts";
import {
  type MakeHandler,
  declarationOf,
  noIntent,
  nothing,
  presenceByOutput,
  stableView,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

const rightAnswersInARow = 3;
const pauseMs = 100;
const patienceMs = 60_000;
/** The old side that an undo puts back was given up for a reason: it may well answer wrong, and that is told, not waited out. */
const undoPatienceMs = 10_000;

export const createProbeStep: MakeHandler<"probe"> = (parts) => ({
  kind: "probe",
  timeoutMs: stepTimeoutMs.server,
  retries: 0,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,

  apply: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const { probe } = declarationOf(context);
        if (probe === undefined) return { kind: "done", output: { outcomes: [] } };
        const isUndo = context.plan.purpose === "undo";
        const deadline = parts.clock.monotonicMs() + (isUndo ? undoPatienceMs : patienceMs);
        let right = 0;
        let attempts = 0;
        let firstRightAt: string | null = null;
        let last: CheckOutcome;
        do {
          if (attempts > 0) await parts.clock.sleep(pauseMs, context.signal);
          last = await access.runCheck(probe, null);
          attempts += 1;
          right = last.status === "passed" ? right + 1 : 0;
          firstRightAt = right === 0 ? null : (firstRightAt ?? parts.clock.now().toISOString());
          context.progress({ note: last.found });
        } while (right < rightAnswersInARow && parts.clock.monotonicMs() < deadline);
        const output = toJsonObject({ outcomes: [last], attempts, normalAt: firstRightAt });
        return right >= rightAnswersInARow || isUndo
          ? { kind: "done", output }
          : {
              kind: "failed",
              message: `users still get a wrong answer after the cutover: ${last.found}`,
              hint: "look at the new side; refloat undo puts the old side back as long as that loses nothing",
              output,
            };
      },
      stableView,
    ),

  compensate: nothing,
});
