/** What every engine must do with what people say to a run from outside of it: hold it, and leave steps out. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Journal } from "../core/ports/engine.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { RunWord } from "../model/run-word.ts";
import { editStep } from "../core/run/edit-step.ts";
import { stumblesOf } from "../core/run/stumbles.ts";
import { EngineBench, type OpenEngine, failAt, recovered, retryable, stateOf } from "./engine-bench.ts";
import { stepIdOf } from "./run-plans.ts";
import type { Intercept } from "./world-handlers.ts";

const run = 1 as RunNumber;
const at = "2026-03-01T16:12:08.000Z";
const word = (says: RunWord["says"], step: string | null, reason: string): RunWord => ({
  says,
  step: step === null ? null : stepIdOf(step),
  by: "anna",
  roles: ["anna"],
  reason,
});

export const describeWords = (open: OpenEngine): void => {
  describe("words of people", () => {
    let bench: EngineBench;

    beforeEach(async () => {
      bench = await EngineBench.create(open);
    });

    afterEach(async () => {
      await bench.remove();
    });

    const say = async (what: RunWord): Promise<void> => {
      await (await bench.process()).journal.say(run, at, what);
    };

    /** Says a pause while a step acts, which ends only once the engine has looked for words. */
    const pausedAt = async (step: string) => {
      const heard = Promise.withResolvers<void>();
      const intercept: Intercept = async (moment, context) => {
        if (moment !== "apply" || context.step.id !== step) return undefined;
        await say(word("pause", null, "the vendor looks first"));
        await heard.promise;
        return undefined;
      };
      const wrapJournal = (journal: Journal): Journal => ({
        ...journal,
        events: async (...args) => {
          const events = await journal.events(...args);
          // Whoever asked has them before the step goes on.
          if (events.some((event) => event.type === "word")) setTimeout(heard.resolve, 20);
          return events;
        },
      });
      return bench.execute({ intercept, wrapJournal, limits: { listenMs: 5 } });
    };

    it("hold a run before its next step, and let those under way end", async () => {
      const record = await pausedAt("restore:db");
      expect(record).toMatchObject({
        state: "waiting",
        message: "paused by anna: the vendor looks first; refloat resume 1 goes on",
      });
      expect(stateOf(record, "restore:db")).toBe("done");
      expect(stateOf(record, "check:db")).toBe("pending");
      // What was said to the process before is no word to this one.
      expect(bench.seen(await bench.resume({ limits: { listenMs: 5 } }))).toEqual(recovered);
    });

    it("hold no cutover, where users would wait, and say so", async () => {
      const record = await pausedAt("hold");
      expect(record.state).toBe("succeeded");
      expect(bench.messages).toContain(
        "warning: anna wanted it paused, but users would wait in the cutover: it went on",
      );
    });

    it("are waited for by a step, whose next attempt knows what it kept, and keeps it as no output", async () => {
      const seen: unknown[] = [];
      const waits: Intercept = async (moment, context) => {
        if (moment !== "apply" || context.step.id !== "approve") return undefined;
        seen.push(context.waited);
        return context.waited === null
          ? { kind: "waiting", for: "person", message: "who says yes?", keep: { why: "no route to host" } }
          : { kind: "done", output: { by: "anna" } };
      };
      expect((await bench.execute({ intercept: waits })).state).toBe("waiting");
      const record = await bench.resume({ intercept: waits });
      expect(seen).toEqual([null, { why: "no route to host" }]);
      expect(record.state).toBe("succeeded");
      expect(record.steps.find(({ id }) => id === "approve")?.output).toEqual({ by: "anna" });
    });

    it("leave out a step that only looks, with the reason", async () => {
      const failing = failAt("apply", "try:app");
      expect((await bench.execute({ intercept: failing })).state).toBe("failed");
      await say(word("skip", "try:app", "its port is taken by the vendor"));
      const record = await bench.resume({ intercept: failing });
      expect(bench.seen(record)).toEqual({ ...recovered, notDone: ["try:app skipped"], missing: ["try:app"] });
      expect(bench.messages).toContain("warning: try:app was skipped by anna: its port is taken by the vendor");
    });

    it("leave out no step that others are built on", async () => {
      const failing = failAt("apply", "restore:db");
      expect((await bench.execute({ intercept: failing })).state).toBe("failed");
      await say(word("skip", "restore:db", "who needs it"));
      expect((await bench.resume({ intercept: failing })).state).toBe("failed");
    });

    it("change what a step may take, of a run that stands still: it goes on by the edited plan", async () => {
      const failing = failAt("apply", "check:db", retryable, 3);
      expect((await bench.execute({ intercept: failing, retries: 0 })).state).toBe("failed");
      const { journal } = await bench.process();
      const { plan } = await journal.readRun(run);
      const edited = editStep(plan, stepIdOf("check:db"), "retries", "5");
      const edit = { field: "retries", from: null, to: 5, before: plan.digest, after: edited.plan.digest };
      await journal.edit(run, at, { ...word("edit", "check:db", "it comes and goes"), edit }, edited.plan);
      const record = await bench.resume({ intercept: failing, retries: 0 });
      expect(bench.seen(record)).toEqual(recovered);
      expect(record.digest).toBe(edited.plan.digest);
      expect(stumblesOf(await bench.journaled()).edits).toEqual([
        { ...edit, step: "check:db", by: "anna", reason: "it comes and goes" },
      ]);
    });

    it("are answered by a failure, and have to be said again after it", async () => {
      const failing = failAt("apply", "try:app");
      await bench.execute({ intercept: failing });
      await say(word("no", "try:app", "not yet"));
      const words: number[] = [];
      const counting: Intercept = async (moment, context) => {
        if (moment === "apply" && context.step.id === "try:app") words.push((await context.words()).length);
        return failing(moment, context);
      };
      await bench.resume({ intercept: counting });
      await bench.resume({ intercept: counting });
      expect(words).toEqual([1, 0]);
    });
  });
};
