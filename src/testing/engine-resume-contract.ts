/** What every engine must do with a run that is taken up: finish it, repeat no effect that stands, make again what is gone. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Journal } from "../core/ports/engine.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { EngineBench, type OpenEngine, failAt, hangAt, recovered, servedByNew } from "./engine-bench.ts";
import type { Intercept } from "./world-handlers.ts";

export const describeResume = (open: OpenEngine): void => {
  describe("resume", () => {
    let bench: EngineBench;

    beforeEach(async () => {
      bench = await EngineBench.create(open);
    });

    afterEach(async () => {
      await bench.remove();
    });

    /** A process that is stopped at the begin of a step's act. */
    const stoppedAt = async (step: string) => {
      const stop = new AbortController();
      const record = await bench.execute(
        { intercept: hangAt("apply", step, () => stop.abort()) },
        undefined,
        stop.signal,
      );
      expect(record.state).toBe("interrupted");
      bench.told.length = 0;
      return record;
    };

    it("starts again what died with the machine, and says so", async () => {
      await stoppedAt("admit");
      bench.world.reboot();
      const record = await bench.resume();
      expect(record.state).toBe("succeeded");
      expect(bench.live).toEqual(servedByNew);
      expect(bench.effectsOf("apply").filter((id) => id === "start:app")).toHaveLength(2);
      expect(bench.effectsOf("apply").filter((id) => id === "admit")).toHaveLength(1);
      expect(bench.told).toContainEqual(
        expect.objectContaining({
          type: "step",
          step: "start:app",
          state: "pending",
          error: { code: "step.effect-gone", message: "what start:app had made is gone; it is made again" },
        }),
      );
    });

    it("makes again what is gone before the cutover, and repeats what was found out about it", async () => {
      await stoppedAt("approve");
      bench.world.remove("store/db.r1");
      const record = await bench.resume();
      expect(record.state).toBe("succeeded");
      expect(bench.live).toEqual(servedByNew);
      const times = (step: string): number => bench.effectsOf("apply").filter((id) => id === step).length;
      for (const again of ["restore:db", "check:db", "try:app"])
        expect({ [again]: times(again) }).toEqual({ [again]: 2 });
      // Their own effects still stand, or they stand on something else.
      for (const once of ["migrate:app", "restore:files", "check:files", "save-lost:db:early"])
        expect({ [once]: times(once) }).toEqual({ [once]: 1 });
    });

    it("asks nothing that a later step has taken over", async () => {
      await stoppedAt("start:app");
      const asked: string[] = [];
      const listen: Intercept = async (moment, context) => {
        if (moment === "check" && context.outputs.has(context.step.id)) asked.push(context.step.id);
        return undefined;
      };
      expect(bench.seen(await bench.resume({ intercept: listen }))).toEqual(recovered);
      expect(asked.toSorted()).toEqual(["fence:app", "hold", "save-lost:db:final", "switch:db", "switch:files"]);
    });

    it("does not hold traffic again that it has begun to admit", async () => {
      const record = await bench.execute({ intercept: failAt("apply", "probe") });
      expect(record.state).toBe("needs-operator");
      expect(bench.seen(await bench.resume())).toEqual(recovered);
    });

    it("keeps what was journaled of a step that stands, though what it needs is made again", async () => {
      await stoppedAt("admit");
      bench.world.write("running/app.old", "");
      const record = await bench.resume();
      expect(record.state).toBe("succeeded");
      expect(bench.live).toEqual(servedByNew);
      expect(bench.effectsOf("apply").filter((id) => id === "fence:app")).toHaveLength(2);
      expect(bench.effectsOf("apply").filter((id) => id === "switch:db")).toHaveLength(1);
      expect(record.steps.find(({ id }) => id === "switch:db")?.output).toMatchObject({ applied: true });
    });

    it("keeps an intent as it was first journaled", async () => {
      const record = await bench.execute({ intercept: failAt("apply", "admit") });
      expect(record.state).toBe("needs-operator");
      const prepared: string[] = [];
      const listen: Intercept = async (moment, context) => {
        if (moment === "prepare") prepared.push(context.step.id);
        return undefined;
      };
      expect(bench.seen(await bench.resume({ intercept: listen }))).toEqual(recovered);
      expect(prepared).toEqual(["probe"]);
    });

    it("leaves a run to a person when a done step of the cutover cannot be asked", async () => {
      await stoppedAt("start:app");
      const conflict = () => new RefloatError("cutover.conflict", "db stands for something else");
      const record = await bench.resume({ intercept: failAt("check", "switch:db", conflict) });
      expect(record).toMatchObject({
        state: "needs-operator",
        message: "switch:db cannot be inspected: db stands for something else",
      });
      expect(bench.seen(await bench.resume())).toEqual(recovered);
    });

    it("has what the dead process left running ended first", async () => {
      await stoppedAt("restore:db");
      const calls: unknown[] = [];
      const record = await bench.resume({
        hooks: {
          beforeResume: async (run, markers) => {
            calls.push({ epoch: run.epoch, markers, effects: bench.effectsOf("apply").includes("restore:db") });
          },
        },
      });
      expect(bench.seen(record)).toEqual(recovered);
      expect(calls).toEqual([
        {
          epoch: 2,
          markers: expect.arrayContaining([
            expect.stringMatching(/^refloat\/1\.[0-9a-f]{8}\/restore:db\/$/),
          ]) as unknown,
          effects: false,
        },
      ]);
    });

    it("refuses a run that has succeeded", async () => {
      await bench.execute();
      await expect(bench.resume()).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 1 cannot be taken up: it has succeeded",
      });
    });

    it.each(["before", "after"] as const)(
      "finishes a run whose journal failed %s any of its writes, with each effect once",
      { timeout: 300_000 },
      async (moment) => {
        let failures = 0;
        for (let write = 1; ; write += 1) {
          const fresh = await EngineBench.create(open);
          try {
            const wrapJournal = (journal: Journal): Journal => failingAt(journal, write, moment);
            const ended = await fresh.execute({ wrapJournal }).catch((error: unknown) => error);
            if (!(ended instanceof RefloatError)) break;
            failures += 1;
            expect(ended.code).toBe("journal.failed");
            const before = await fresh.readRun();
            const record = before.state === "succeeded" ? before : await fresh.resume();
            expect(fresh.seenAfterDeath(record)).toEqual(recovered);
          } finally {
            await fresh.remove();
          }
        }
        // Two for each of the sixteen steps, and the end.
        expect(failures).toBe(33);
      },
    );
  });
};

/** A journal that breaks at its n-th write: the write is lost, or it is durable and nobody hears of it. */
const failingAt = (journal: Journal, write: number, moment: "before" | "after"): Journal => {
  let writes = 0;
  return {
    ...journal,
    record: async (...args) => {
      writes += 1;
      const broken = writes >= write;
      const event = broken && (moment === "before" || writes > write) ? null : await journal.record(...args);
      if (event === null || broken) throw new RefloatError("journal.failed", "the disk is full");
      return event;
    },
  };
};
