/** When a run ends after traffic may have been admitted: asks where it stands, for the person who decides. Repeats nothing. */
import { hasBegun } from "../core/run/resume-rules.ts";
import type { LiveRun } from "./live-run.ts";
import { type HandlerCall, type StepEnvironment, callHandler, errorOf, handlerOf } from "./step-environment.ts";

const words = {
  done: "traffic is admitted to the new side",
  partial: "traffic is admitted to the new side in part",
  absent: "traffic is not seen to be admitted to the new side",
} as const;

/** @returns a clause for the run's message; never throws for what cannot be inspected */
export const inspectAdmission = async (live: LiveRun, environment: StepEnvironment): Promise<string> => {
  const clauses: string[] = [];
  for (const step of live.graph.steps.values()) {
    const record = live.step(step.id);
    if (step.action.kind !== "admit" || !hasBegun(record)) continue;
    const call: HandlerCall = { live, step, environment, attempt: record.attempt };
    const handler = handlerOf(environment, step);
    // Asked even when the run was told to stop: the answer is what the person needs most.
    const end = await callHandler(call, new AbortController().signal, async (contextNow) =>
      handler.check(contextNow()),
    );
    clauses.push(
      end.kind === "returned"
        ? words[end.value.presence]
        : `whether traffic is admitted is not known: ${errorOf(end, call)?.told.message ?? "it cannot be asked"}`,
    );
  }
  // Without a step that admits, users came with the names.
  return clauses.length === 0 ? "users may be on the new side already" : clauses.join("; ");
};
