/** What every engine must do when a step fails before the cutover, takes too long, or is told to stop. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  EngineBench,
  type OpenEngine,
  failAt,
  hangAt,
  retryable,
  stateOf,
  recovered,
  liveUntouched,
} from "./engine-bench.ts";
import { planDigest } from "../core/planner/plan-digest.ts";
import type { Plan, PlanIntent } from "../model/plan.ts";
import { recoveryPlan, testPlan, testStep } from "./run-plans.ts";
import type { Intercept } from "./world-handlers.ts";

export const describeFailures = (open: OpenEngine): void => {
  describe("failures before the cutover", () => {
    let bench: EngineBench;

    beforeEach(async () => {
      bench = await EngineBench.create(open);
    });

    afterEach(async () => {
      await bench.remove();
    });

    it.each(["prepare", "check", "apply"] as const)("tries again what may succeed, when %s fails", async (moment) => {
      const record = await bench.execute({ intercept: failAt(moment, "check:db", retryable, 2) });
      expect(bench.seen(record)).toEqual(recovered);
      const retries = bench.transitions.filter((transition) => transition === "check:db retry-wait");
      expect(retries).toHaveLength(2);
      expect(bench.told.find((event) => event.type === "step" && event.state === "retry-wait")).toMatchObject({
        error: { code: "source.unreachable", message: "db does not answer" },
      });
    });

    it("gives up after the step's retries; live is untouched, and resume tries again", async () => {
      const record = await bench.execute({ intercept: failAt("apply", "check:db", retryable), retries: 2 });
      expect(record).toMatchObject({ state: "failed", message: "check:db failed: db does not answer" });
      expect(record.endedAt).not.toBeNull();
      expect(record.steps.find(({ id }) => id === "check:db")).toMatchObject({
        state: "failed",
        attempt: 3,
        error: { code: "source.unreachable" },
      });
      expect(bench.live).toEqual(liveUntouched);
      expect(bench.world.names("store")).toContain("db.r1");
      expect(bench.seen(await bench.resume())).toEqual(recovered);
    });

    it("does not try again what cannot succeed", async () => {
      const record = await bench.execute({ intercept: failAt("apply", "restore:db") });
      expect(record).toMatchObject({ state: "failed", message: "restore:db failed: the target refuses" });
      expect(bench.transitions).not.toContain("restore:db retry-wait");
    });

    it("treats an error that nobody foresaw as one that cannot succeed", async () => {
      const record = await bench.execute({ intercept: failAt("apply", "check:db", () => new TypeError("x is null")) });
      expect(record.steps.find(({ id }) => id === "check:db")?.error).toEqual({ code: "bug", message: "x is null" });
      expect(record.state).toBe("failed");
    });

    it("keeps what a failed check has found, and asks it anew on resume", async () => {
      const wrong: Intercept = async (moment, context) =>
        moment === "apply" && context.step.id === "check:db"
          ? { kind: "failed", message: "orders: 5 rows, captured 7", hint: "another point", output: { found: 5 } }
          : undefined;
      const record = await bench.execute({ intercept: wrong });
      expect(record).toMatchObject({
        state: "failed",
        message: "check:db failed: orders: 5 rows, captured 7 (another point)",
      });
      expect(record.steps.find(({ id }) => id === "check:db")).toMatchObject({
        attempt: 1,
        output: { found: 5 },
        error: { code: "step.check-failed", message: "orders: 5 rows, captured 7", hint: "another point" },
      });
      const resumed = await bench.resume();
      expect(bench.seen(resumed)).toEqual(recovered);
      expect(resumed.steps.find(({ id }) => id === "check:db")).toMatchObject({ output: { seen: true }, error: null });
    });

    it("takes nothing that a failed attempt has found for the output of one that is done", async () => {
      const halfHearted: Intercept = async (moment, context) => {
        if (moment !== "apply" || context.step.id !== "migrate:app") return undefined;
        bench.world.write("store/db.migrated", "");
        return { kind: "failed", message: "the check after it fails", output: { found: "wrong" } };
      };
      expect(await bench.execute({ intercept: halfHearted })).toMatchObject({ state: "failed" });
      const record = await bench.resume();
      expect(record.steps.find(({ id }) => id === "migrate:app")).toMatchObject({ state: "done", output: {} });
      expect(bench.effectsOf("apply")).not.toContain("migrate:app");
    });

    it("stops the other steps when one fails, and begins no more", async () => {
      const fails = failAt("apply", "check:db");
      const hangs = hangAt("apply", "restore:files");
      const record = await bench.execute({
        intercept: async (moment, context) => (await hangs(moment, context)) ?? fails(moment, context),
      });
      expect(record.state).toBe("failed");
      expect(stateOf(record, "restore:files")).toBe("interrupted");
      expect(stateOf(record, "check:files")).toBe("pending");
      expect(bench.seen(await bench.resume())).toEqual(recovered);
    });

    it("clears what was left half before it does a step again", async () => {
      const record = await bench.execute({ intercept: failAt("half", "restore:db") });
      expect(record.state).toBe("failed");
      expect(bench.world.names("store")).toContain("db.r1.part");
      expect(bench.seen(await bench.resume())).toEqual(recovered);
      expect(bench.effectsOf("clear")).toEqual(["restore:db"]);
    });

    it("stops a step that takes longer than it may, and tries it again", async () => {
      let hangs = 1;
      const once = hangAt("apply", "check:db");
      const record = await bench.execute({
        // No other step may come near it, on a busy machine either.
        timeoutMs: 3_000,
        intercept: async (moment, context) => {
          if (moment !== "apply" || context.step.id !== "check:db" || hangs === 0) return undefined;
          hangs -= 1;
          return once(moment, context);
        },
      });
      expect(bench.seen(record)).toEqual(recovered);
      const retry = bench.told.find((event) => event.type === "step" && event.state === "retry-wait");
      expect(retry).toMatchObject({ error: { code: "step.timeout", message: "check:db took longer than 3s" } });
    });

    const withRules = (steps: NonNullable<PlanIntent["declaration"]["steps"]>): Plan => {
      const plan = recoveryPlan();
      const intent = { ...plan.intent, declaration: { ...plan.intent.declaration, steps } };
      return { ...plan, intent, digest: planDigest(intent) };
    };

    it("tries again as often as is declared of an error, of a step before its kind", async () => {
      const rules = { check: { retries: 0 }, "check:db": { retries: { "source.unreachable": 4, other: 0 } } };
      const record = await bench.execute(
        { intercept: failAt("apply", "check:db", retryable, 4), retries: 1 },
        withRules(rules),
      );
      expect(bench.seen(record)).toEqual(recovered);
      expect(bench.transitions.filter((transition) => transition === "check:db retry-wait")).toHaveLength(4);
    });

    it("gives up at once where no retry is declared", async () => {
      const plan = withRules({ check: { retries: 0 } });
      const record = await bench.execute({ intercept: failAt("apply", "check:db", retryable, 1) }, plan);
      expect(record).toMatchObject({ state: "failed", message: "check:db failed: db does not answer" });
      expect(bench.transitions).not.toContain("check:db retry-wait");
    });

    it("stops a step whose progress has stood still for longer than is declared, and tries it again", async () => {
      let left = 1;
      const once = hangAt("apply", "restore:db");
      const record = await bench.execute(
        {
          intercept: async (moment, context) => {
            if (moment !== "apply" || context.step.id !== "restore:db" || left === 0) return undefined;
            left -= 1;
            context.progress({ bytesDone: 5 });
            const again = setInterval(() => context.progress({ bytesDone: 5 }), 20);
            return once(moment, context).finally(() => clearInterval(again));
          },
        },
        withRules({ restore: { heartbeat: "2s" } }),
      );
      expect(bench.seen(record)).toEqual(recovered);
      expect(bench.told.find((event) => event.type === "step" && event.state === "retry-wait")).toMatchObject({
        error: { code: "step.stalled", message: "restore:db showed no progress for 2s" },
      });
    });

    it("keeps the lease while a step that was told to stop may still act", async () => {
      const release = Promise.withResolvers<undefined>();
      const stop = new AbortController();
      const deaf: Intercept = async (moment) => {
        if (moment !== "apply") return undefined;
        stop.abort();
        return release.promise;
      };
      const steps = [testStep("check:db", "validate", { kind: "check", component: "db" })];
      const record = await bench.execute(
        { intercept: deaf, limits: { graceMs: 20 } },
        testPlan({ steps }),
        stop.signal,
      );
      expect(record).toMatchObject({ state: "interrupted" });
      expect(record.steps[0]).toMatchObject({
        state: "interrupted",
        error: { code: "step.stuck", hint: "end this process, then resume" },
      });
      await expect(bench.resume()).rejects.toMatchObject({ code: "run.in-progress" });
      const journaled = (await bench.journaled()).length;
      release.resolve(undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
      // What it did after it was given up is nobody's word any more.
      expect(await bench.journaled()).toHaveLength(journaled);
    });

    it("is interrupted on request, says what is true of live, and is resumed", async () => {
      const stop = new AbortController();
      const hangs = hangAt("apply", "restore:db", () => stop.abort());
      const record = await bench.execute({ intercept: hangs }, undefined, stop.signal);
      expect(record).toMatchObject({
        state: "interrupted",
        message: "stopped on request; live is untouched",
        endedAt: null,
      });
      expect(stateOf(record, "restore:db")).toBe("interrupted");
      expect(bench.live).toEqual(liveUntouched);
      expect(bench.seen(await bench.resume())).toEqual(recovered);
    });

    it("is interrupted while it waits for a retry", async () => {
      const stop = new AbortController();
      const { engine } = await bench.process({
        intercept: failAt("apply", "restore:db", retryable),
        limits: { firstRetryMs: 3_600_000, longestRetryMs: 3_600_000 },
      });
      const record = await engine.execute(recoveryPlan(), {
        incidentAt: null,
        signal: stop.signal,
        listener: (event) => {
          if (event.type === "step" && event.state === "retry-wait") stop.abort();
        },
      });
      expect(record.state).toBe("interrupted");
      expect(stateOf(record, "restore:db")).toBe("retry-wait");
      expect(bench.seen(await bench.resume())).toEqual(recovered);
    });
  });
};
