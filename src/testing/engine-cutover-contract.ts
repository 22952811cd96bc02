/** What every engine must do when a step of the cutover fails: take it back while no traffic is admitted, never after. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Journal } from "../core/ports/engine.ts";
import { RefloatError } from "../model/refloat-error.ts";
import {
  EngineBench,
  type OpenEngine,
  failAt,
  hangAt,
  permanent,
  retryable,
  stateOf,
  recovered,
  liveUntouched,
  servedByNew,
  outOfOrder,
} from "./engine-bench.ts";
import { recoverySteps } from "./run-plans.ts";
import type { Intercept } from "./world-handlers.ts";

const beforeAdmit = recoverySteps
  .filter(({ phase, action }) => phase === "cutover" && action.kind !== "admit")
  .map(({ id }) => id);

export const describeCutoverFailures = (open: OpenEngine): void => {
  describe("failures in the cutover", () => {
    let bench: EngineBench;

    beforeEach(async () => {
      bench = await EngineBench.create(open);
    });

    afterEach(async () => {
      await bench.remove();
    });

    it.each(beforeAdmit)("takes the cutover back when %s fails, dependents first", async (step) => {
      const record = await bench.execute({ intercept: failAt("apply", step) });
      expect(record).toMatchObject({
        state: "undone",
        direction: "undo",
        message: `${step} failed: the target refuses`,
      });
      expect(bench.live).toEqual(liveUntouched);
      // What was restored stays beside live, to be looked at and then cancelled.
      expect(bench.world.names("store")).toContain("db.r1");
      const back = bench.effectsOf("compensate");
      expect(back).toContain(step);
      expect(back.every((id) => beforeAdmit.some((other) => other === id))).toBe(true);
      expect(outOfOrder(recoverySteps, back, "backward")).toEqual([]);
      await expect(bench.resume()).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 1 cannot be resumed: its cutover was undone",
      });
    });

    it("tries a step of the cutover again before it takes anything back", async () => {
      expect(bench.seen(await bench.execute({ intercept: failAt("apply", "switch:db", retryable, 2) }))).toEqual(
        recovered,
      );
    });

    it("leaves what a step stands on when that step cannot be taken back, and goes on when it is resumed", async () => {
      const fails = failAt("apply", "start:app");
      const conflicts = failAt("compensate", "switch:db");
      const record = await bench.execute({
        intercept: async (moment, context) => (await fails(moment, context)) ?? conflicts(moment, context),
      });
      expect(record).toMatchObject({
        state: "needs-operator",
        direction: "undo",
        message: "switch:db could not be taken back: the target refuses; what it stands on was left as it is",
      });
      expect(stateOf(record, "switch:db")).toBe("needs-operator");
      for (const needed of ["hold", "fence:app", "save-lost:db:final"]) expect(stateOf(record, needed)).toBe("done");
      expect(bench.world.serving).toBe("none");
      const resumed = await bench.resume();
      expect(resumed).toMatchObject({ state: "undone" });
      expect(bench.live).toEqual(liveUntouched);
    });

    it("takes nothing more back once a step could not be, though it has nothing to do with it", async () => {
      const fails = failAt("apply", "start:app");
      const record = await bench.execute({
        limits: { concurrency: 1 },
        intercept: async (moment, context) => {
          if (moment === "compensate" && context.action.kind === "switch") throw permanent();
          return fails(moment, context);
        },
      });
      const switches = new Set([stateOf(record, "switch:db"), stateOf(record, "switch:files")]);
      expect(switches).toEqual(new Set(["done", "needs-operator"]));
    });

    it("undoes, and does not try again, when the process died between the failure and the turn", async () => {
      const wrapJournal = (journal: Journal): Journal => ({
        ...journal,
        record: async (run, epoch, at, transition) => {
          if (transition.run?.direction === "undo") throw new RefloatError("journal.failed", "the disk is full");
          return journal.record(run, epoch, at, transition);
        },
      });
      const died = bench.execute({ wrapJournal, intercept: failAt("apply", "start:app") });
      await expect(died).rejects.toMatchObject({ code: "journal.failed" });
      expect(await bench.resume()).toMatchObject({ state: "undone", message: "start:app failed: the target refuses" });
      expect(bench.live).toEqual(liveUntouched);
    });

    it("tries to take a step back again when that may succeed", async () => {
      const fails = failAt("apply", "start:app");
      const unreachable = failAt("compensate", "switch:db", retryable, 2);
      const record = await bench.execute({
        intercept: async (moment, context) => (await fails(moment, context)) ?? unreachable(moment, context),
      });
      expect(record.state).toBe("undone");
      expect(bench.live).toEqual(liveUntouched);
    });

    it("goes on taking back when it was stopped while it did", async () => {
      const stop = new AbortController();
      const fails = failAt("apply", "start:app");
      const hangs = hangAt("compensate", "switch:db", () => stop.abort());
      const record = await bench.execute(
        { intercept: async (moment, context) => (await fails(moment, context)) ?? hangs(moment, context) },
        undefined,
        stop.signal,
      );
      expect(record).toMatchObject({ state: "interrupted", direction: "undo" });
      expect(bench.world.serving).toBe("none");
      expect(await bench.resume()).toMatchObject({
        state: "undone",
        message: "start:app failed: the target refuses",
      });
      expect(bench.live).toEqual(liveUntouched);
      expect(bench.effectsOf("apply")).not.toContain("start:app");
    });

    it("undoes nothing while a step may still act", async () => {
      const release = Promise.withResolvers<undefined>();
      const deaf: Intercept = async (moment, context) => {
        if (moment !== "apply") return undefined;
        if (context.step.id === "switch:files") return release.promise;
        return failAt("apply", "switch:db")(moment, context);
      };
      const record = await bench.execute({ intercept: deaf, limits: { graceMs: 20 } });
      expect(record).toMatchObject({
        state: "needs-operator",
        message: "switch:db failed: the target refuses; nothing was undone while a step may still act",
      });
      expect(bench.effectsOf("compensate")).toEqual([]);
      release.resolve(undefined);
    });

    it("does not undo once admitting has begun, and says where traffic is", async () => {
      const record = await bench.execute({ intercept: failAt("apply", "admit") });
      expect(record).toMatchObject({
        state: "needs-operator",
        direction: "forward",
        message: "admit failed: the target refuses; traffic is not seen to be admitted to the new side",
      });
      expect(bench.effectsOf("compensate")).toEqual([]);
      expect(bench.seen(await bench.resume())).toEqual(recovered);
    });

    it("does not admit twice when admitting failed after it had worked", async () => {
      const admitted: Intercept = async (moment, context) => {
        if (moment === "apply" && context.step.id === "admit") {
          bench.world.write("traffic", "new");
          bench.world.log("apply admit");
          throw retryable();
        }
        return undefined;
      };
      expect(bench.seen(await bench.execute({ intercept: admitted }))).toEqual(recovered);
    });

    it("leaves a recovery whose probe fails to a person, with traffic where it is", async () => {
      const wrong: Intercept = async (moment, context) =>
        moment === "apply" && context.step.id === "probe"
          ? { kind: "failed", message: "HTTP 502", output: {} }
          : undefined;
      const record = await bench.execute({ intercept: wrong });
      expect(record).toMatchObject({
        state: "needs-operator",
        message: "probe failed: HTTP 502; traffic is admitted to the new side",
      });
      expect(bench.live).toEqual(servedByNew);
      await expect(bench.cancel()).rejects.toMatchObject({ code: "run.wrong-state", nextCommand: "refloat undo 1" });
      expect(bench.seen(await bench.resume())).toEqual(recovered);
    });

    it("is stopped in the cutover on request, says so, and goes on when it is resumed", async () => {
      const stop = new AbortController();
      const hangs = hangAt("apply", "switch:db", () => stop.abort());
      const record = await bench.execute({ intercept: hangs }, undefined, stop.signal);
      expect(record).toMatchObject({
        state: "interrupted",
        message: "stopped on request in the cutover; traffic may be held",
      });
      const calls: string[] = [];
      const resumed = await bench.resume({
        hooks: {
          beforeCutover: async () => {
            calls.push("before");
          },
        },
      });
      expect(bench.seen(resumed)).toEqual(recovered);
      expect(calls).toEqual([]);
    });
  });
};
