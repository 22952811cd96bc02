/** What is told of runs that were executed together when their process breaks off. */
import { expect, it } from "vitest";
import { RefloatError } from "../../model/refloat-error.ts";
import type { RunEvent, RunRecord, RunState } from "../../model/run.ts";
import type { JointPlan } from "../../model/joint-plan.ts";
import type { Engine } from "../ports/engine.ts";
import type { Notifier } from "../ports/notifier.ts";
import { notifyingEngine } from "./run-notifications.ts";

it("tells of each run what became of it, not that one was interrupted that had come to its end", async () => {
  const at = "2026-03-01T16:00:00.000Z";
  const states: readonly RunState[] = ["succeeded", "running", "cancelled"];
  const told: Parameters<Notifier["tell"]>[0][] = [];
  const engine = {
    executeJoint: async (_plan: unknown, { listener }: { readonly listener: (event: RunEvent) => void }) => {
      for (const [index] of states.entries())
        listener({ type: "run", sequence: 1, at, run: index + 1, state: "running" } as unknown as RunEvent);
      throw new RefloatError("journal.failed", "the disk is full");
    },
  } as unknown as Engine;
  const watched = notifyingEngine(engine, {
    notifier: { tell: (what) => void told.push(what) },
    journal: {
      readRun: async (number) => ({
        plan: undefined as never,
        record: {
          number,
          service: `s${number}`,
          purpose: "recover",
          state: states[number - 1],
          steps: [],
          message: null,
        } as unknown as RunRecord,
      }),
    },
    clock: { now: () => new Date(at) },
    host: "here",
  });
  const options = { incidentAt: null, listener: () => undefined, signal: new AbortController().signal };
  await expect(watched.executeJoint({} as JointPlan, options)).rejects.toMatchObject({ code: "journal.failed" });
  const ends: string[] = [];
  for (const one of told) {
    const what = typeof one === "function" ? await one() : one;
    if (what !== null && what.event !== "run-started") ends.push(`${what.event}: ${what.title}: ${what.message}`);
  }
  expect(ends).toEqual([
    "run-succeeded: s1 is recovered (run 1): ",
    "run-failed: recovery of s2 was interrupted (run 2): the disk is full",
  ]);
});
