/**
 * What every engine must do: the course of a run from its begin to its end. Failures, resume and cancel have files of their
 * own; `describeEngineContract` runs all of them.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  EngineBench,
  type OpenEngine,
  failAt,
  hangAt,
  permanent,
  stateOf,
  recovered,
  liveUntouched,
  outOfOrder,
} from "./engine-bench.ts";
import { describeCancel } from "./engine-cancel-contract.ts";
import { describeCutoverFailures } from "./engine-cutover-contract.ts";
import { describeFailures } from "./engine-failure-contract.ts";
import { describeJointRuns } from "./engine-joint-contract.ts";
import { describeResume } from "./engine-resume-contract.ts";
import { describeWords } from "./engine-words-contract.ts";
import { recoveryPlan, recoverySteps, stepIdOf, testPlan, testStep } from "./run-plans.ts";
import type { Intercept } from "./world-handlers.ts";

export const describeEngineContract = (name: string, open: OpenEngine): void => {
  describe(`engine contract: ${name}`, () => {
    describeCourse(open);
    describeFailures(open);
    describeCutoverFailures(open);
    describeResume(open);
    describeWords(open);
    describeCancel(open);
    describeJointRuns(open);
  });
};

const describeCourse = (open: OpenEngine): void => {
  describe("the course of a run", () => {
    let bench: EngineBench;

    beforeEach(async () => {
      bench = await EngineBench.create(open);
    });

    afterEach(async () => {
      await bench.remove();
    });

    it("executes a plan to its end, each effect once, after all that it needs", async () => {
      const record = await bench.execute();
      expect(bench.seen(record)).toEqual(recovered);
      expect(outOfOrder(recoverySteps, bench.effectsOf("apply"), "forward")).toEqual([]);
      expect(
        record.steps.every(({ attempt, beganAt, endedAt }) => attempt === 1 && beganAt !== null && endedAt !== null),
      ).toBe(true);
    });

    it("tells what it journals, in order, and nothing that it does not journal but progress", async () => {
      await bench.execute();
      expect(bench.told).toEqual(await bench.journaled());
      expect(bench.told[0]).toMatchObject({ type: "run", sequence: 1, state: "running" });
      expect(bench.told.at(-1)).toMatchObject({ type: "run", state: "succeeded" });
    });

    it("runs at once what waits for nothing", async () => {
      const arrived = new Set<string>();
      const both = Promise.withResolvers<void>();
      // Each restore waits for the other one: one after the other they would never end.
      const meet: Intercept = async (moment, context) => {
        if (moment !== "apply" || context.action.kind !== "restore") return undefined;
        arrived.add(context.step.id);
        if (arrived.size === 2) both.resolve();
        await both.promise;
        return undefined;
      };
      expect(bench.seen(await bench.execute({ intercept: meet }))).toEqual(recovered);
    });

    it("runs no more at once than it may", async () => {
      let running = 0;
      let most = 0;
      const count: Intercept = async (moment) => {
        if (moment !== "apply") return undefined;
        running += 1;
        most = Math.max(most, running);
        await new Promise(setImmediate);
        running -= 1;
        return undefined;
      };
      const steps = Array.from({ length: 12 }, (_, index) =>
        testStep(`check:c${index}`, "validate", { kind: "check", component: "db" }),
      );
      const record = await bench.execute({ intercept: count, limits: { concurrency: 3 } }, testPlan({ steps }));
      expect(record.state).toBe("succeeded");
      expect(most).toBe(3);
    });

    it("begins nothing of the cutover before all that comes before it is done, whatever the plan says", async () => {
      const steps = [
        testStep("check:db", "validate", { kind: "check", component: "db" }),
        testStep("hold", "cutover", { kind: "hold" }),
        testStep("admit", "cutover", { kind: "admit" }, ["hold"]),
        testStep("reload:db", "prove", { kind: "reload", component: "db" }),
      ];
      await bench.execute({}, testPlan({ steps }));
      expect(bench.effectsOf("apply")).toEqual(["check:db", "hold", "admit", "reload:db"]);
    });

    it("journals attempt and intent before any effect, and the output after it", async () => {
      const seen: unknown[] = [];
      const look: Intercept = async (moment, context) => {
        if (context.step.id !== "restore:db" || (moment !== "prepare" && moment !== "apply")) return undefined;
        const { journal } = await bench.process();
        const { record } = await journal.readRun(context.run.number);
        const step = record.steps.find(({ id }) => id === context.step.id);
        seen.push({ moment, state: step?.state, attempt: step?.attempt, intent: step?.intent });
        return undefined;
      };
      const record = await bench.execute({ intercept: look });
      expect(seen).toEqual([
        { moment: "prepare", state: "pending", attempt: 0, intent: null },
        { moment: "apply", state: "running", attempt: 1, intent: { instance: "store/db.r1" } },
      ]);
      expect(record.steps.find(({ id }) => id === "restore:db")?.output).toEqual({ instance: "store/db.r1" });
    });

    it("gives handlers their own intent, the outputs of what is done, and a marker", async () => {
      const contexts = new Map<string, unknown>();
      const look: Intercept = async (moment, context) => {
        if (moment === "apply")
          contexts.set(context.step.id, {
            intent: context.intent,
            outputs: [...context.outputs.keys()].toSorted(),
            marker: context.marker,
            run: context.run.number,
          });
        return undefined;
      };
      const steps = recoverySteps
        .slice(0, 1)
        .concat(testStep("check:db", "validate", { kind: "check", component: "db" }, ["restore:db"]));
      await bench.execute({ intercept: look }, testPlan({ steps }));
      expect(Object.fromEntries(contexts)).toEqual({
        "restore:db": {
          intent: { instance: "store/db.r1" },
          outputs: [],
          marker: expect.stringMatching(/^refloat\/1\.[0-9a-f]{8}\/restore:db\/1$/) as unknown,
          run: 1,
        },
        "check:db": {
          intent: {},
          outputs: ["restore:db"],
          marker: expect.stringMatching(/^refloat\/1\.[0-9a-f]{8}\/check:db\/1$/) as unknown,
          run: 1,
        },
      });
    });

    it("takes for done what is there already, without doing it", async () => {
      bench.world.write("store/db.migrated", "");
      const record = await bench.execute();
      expect(stateOf(record, "migrate:app")).toBe("done");
      expect(bench.effectsOf("apply")).not.toContain("migrate:app");
    });

    it("tells progress, the last word too, and not more of it than a screen needs", async () => {
      const report: Intercept = async (moment, context) => {
        if (moment === "apply" && context.step.id === "restore:db")
          for (let bytesDone = 1; bytesDone <= 1000; bytesDone += 1) context.progress({ bytesDone, bytesTotal: 1000 });
        return undefined;
      };
      await bench.execute({ intercept: report, limits: { progressIntervalMs: 60_000 } });
      const progress = bench.told.flatMap((event) => (event.type === "progress" ? [event.progress.bytesDone] : []));
      expect(progress).toEqual([1, 1000]);
      expect((await bench.journaled()).some(({ type }) => type === "progress")).toBe(false);
      const lastWord = bench.told.findLastIndex(({ type }) => type === "progress");
      const doneAt = bench.told.findIndex(
        (event) => event.type === "step" && event.step === "restore:db" && event.state === "done",
      );
      expect(lastWord).toBeLessThan(doneAt);
    });

    it("waits for a person, and goes on when it is asked to", async () => {
      const nobody: Intercept = async (moment, context) =>
        moment === "apply" && context.action.kind === "approve"
          ? { kind: "waiting", for: "approval", message: "shop waits for your yes" }
          : undefined;
      const waiting = await bench.execute({ intercept: nobody });
      expect(waiting).toMatchObject({ state: "waiting", message: "shop waits for your yes", endedAt: null });
      expect(stateOf(waiting, "approve")).toBe("waiting");
      expect(bench.live).toEqual(liveUntouched);
      expect(bench.seen(await bench.resume())).toEqual(recovered);
    });

    it("tells the composition root before the cutover and at the end", async () => {
      const calls: string[] = [];
      const record = await bench.execute({
        hooks: {
          beforeCutover: async (run) => {
            calls.push(`before ${stateOf(run, "approve")} ${stateOf(run, "hold")} ${bench.world.serving}`);
          },
          atEnd: async (run) => {
            calls.push(`end ${run.state}`);
          },
        },
      });
      expect(bench.seen(record)).toEqual(recovered);
      expect(calls).toEqual(["before done pending old", "end succeeded"]);
    });

    it("goes on when a hook fails or hangs, and says so", async () => {
      const record = await bench.execute({
        limits: { hookMs: 20 },
        hooks: {
          beforeCutover: async () => {
            throw permanent();
          },
          atEnd: () => new Promise(() => undefined),
        },
      });
      expect(bench.seen(record)).toEqual(recovered);
      expect(bench.messages).toEqual([
        "warning: copying the run before its cutover failed: the target refuses",
        "warning: copying the run at its end failed: it took too long",
      ]);
    });

    it("is not disturbed by a listener that throws", async () => {
      const { engine } = await bench.process();
      const listener = (): void => {
        throw new Error("the terminal is gone");
      };
      const signal = new AbortController().signal;
      expect(bench.seen(await engine.execute(recoveryPlan(), { incidentAt: null, listener, signal }))).toEqual(
        recovered,
      );
    });

    it("executes one run of a service at a time and names the one that goes on", async () => {
      const begun = Promise.withResolvers<void>();
      const stop = new AbortController();
      const first = bench.execute({ intercept: hangAt("apply", "restore:db", begun.resolve) }, undefined, stop.signal);
      await begun.promise;
      const inProgress = { code: "run.in-progress", nextCommand: "refloat runs 1" };
      await expect(bench.execute()).rejects.toMatchObject(inProgress);
      await expect(bench.resume()).rejects.toMatchObject(inProgress);
      await expect(bench.cancel()).rejects.toMatchObject(inProgress);
      const market = testPlan({
        service: "market",
        steps: [testStep("check:db", "validate", { kind: "check", component: "db" })],
      });
      expect(await bench.execute({}, market)).toMatchObject({ number: 2, state: "succeeded" });
      stop.abort();
      expect((await first).state).toBe("interrupted");
      await expect(bench.execute()).rejects.toMatchObject({ code: "run.in-progress", nextCommand: "refloat resume 1" });
    });

    it("refuses a plan whose steps wait for each other, before anything is journaled", async () => {
      const steps = [
        testStep("a", "restore", { kind: "check", component: "db" }, ["b"]),
        testStep("b", "restore", { kind: "check", component: "db" }, ["a"]),
      ];
      await expect(bench.execute({}, testPlan({ steps }))).rejects.toMatchObject({
        code: "bug",
        message: "steps of the plan wait for each other: a, b",
      });
      expect(await (await bench.process()).journal.listRuns()).toEqual([]);
    });

    it("stops when another process has taken the run up", async () => {
      const usurp: Intercept = async (moment, context) => {
        if (moment === "apply" && context.step.id === "check:db")
          await (await bench.process()).journal.takeUp(context.run.number, "2026-03-01T16:13:09.000Z");
        return undefined;
      };
      await expect(bench.execute({ intercept: usurp })).rejects.toMatchObject({ code: "run.fenced" });
      expect(bench.effectsOf("apply")).not.toContain(stepIdOf("hold"));
      expect(bench.live).toEqual(liveUntouched);
    });

    it("does nothing after a step whose attempt could not be journaled", async () => {
      const record = await bench.execute({ intercept: failAt("prepare", "switch:db") });
      // The cutover had begun, so it is taken back; the step itself never was.
      expect(record.state).toBe("undone");
      expect(record.steps.find(({ id }) => id === "switch:db")).toMatchObject({ state: "failed", attempt: 0 });
      expect(bench.live).toEqual(liveUntouched);
    });
  });
};
