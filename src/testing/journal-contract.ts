/** What every journal must do. `open` is called again on the same folder to see what is durable. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Journal } from "../core/ports/engine.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { RunRecord, RunState } from "../model/run.ts";
import { describeRunCopies } from "./run-copy-contract.ts";
import { recoveryPlan, stepIdOf, testPlan, testStep } from "./run-plans.ts";

export type OpenJournal = (folder: string) => Promise<Journal>;

export const at = "2026-03-01T16:12:08.000Z";
export const later = "2026-03-01T16:13:09.000Z";

export const planFor = (service: string, mark = "cut over") =>
  testPlan({
    service,
    steps: [
      testStep("restore:db", "restore", { kind: "restore", component: "db" }),
      testStep("approve", "decide", { kind: "approve", reason: mark }, ["restore:db"]),
    ],
  });

export const restoreDb = stepIdOf("restore:db");

let lastUid = 0;
export const newUid = (): string => {
  lastUid += 1;
  return `00000000-0000-4000-8000-${String(lastUid).padStart(12, "0")}`;
};

export const beginRun = (journal: Journal, service = "shop", mark?: string): Promise<RunRecord> =>
  journal.createRun({ uid: newUid(), plan: planFor(service, mark), at, incidentAt: null });

export const endRun = (journal: Journal, run: RunRecord, state: RunState): Promise<unknown> =>
  journal.record(run.number, run.epoch, later, { run: { state, endedAt: later } });

export const describeJournalContract = (name: string, open: OpenJournal): void => {
  describe(`journal contract: ${name}`, () => {
    let folder: string;
    let journal: Journal;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "refloat-journal-"));
      journal = await open(folder);
    });

    afterEach(async () => {
      await journal.close();
      await rm(folder, { recursive: true });
    });

    const reopened = async (): Promise<Journal> => {
      await journal.close();
      journal = await open(folder);
      return journal;
    };

    it("creates a run with its plan and its steps, and has them still when it is opened again", async () => {
      const plan = recoveryPlan();
      const uid = newUid();
      const run = await journal.createRun({ uid, plan, at, incidentAt: at });
      expect(run).toMatchObject({ number: 1, uid, state: "running", direction: "forward", epoch: 1, incidentAt: at });
      expect(run.steps.map(({ id, state }) => `${id} ${state}`)).toEqual(
        plan.intent.steps.map(({ id }) => `${id} pending`),
      );
      expect(await (await reopened()).readRun(run.number)).toEqual({ record: run, plan });
    });

    it("numbers runs from 1 and lists them newest first, of one service or of all", async () => {
      await beginRun(journal, "shop");
      await beginRun(journal, "market");
      const numbers = async (service?: string) => (await journal.listRuns(service)).map(({ number }) => number);
      expect(await numbers()).toEqual([2, 1]);
      expect(await numbers("shop")).toEqual([1]);
      expect(await numbers("nobody")).toEqual([]);
    });

    it.each<RunState>(["waiting", "interrupted", "needs-operator"])(
      "refuses a second run of a service while one is %s, and says what to type",
      async (state) => {
        const first = await beginRun(journal);
        await endRun(journal, first, state);
        await expect(beginRun(journal)).rejects.toMatchObject({
          code: "run.in-progress",
          message: `run 1 of shop is not finished: ${state}`,
          hint: "go on with it, or remove what it built: refloat cancel 1",
          nextCommand: "refloat resume 1",
        });
        expect(await journal.listRuns()).toHaveLength(1);
      },
    );

    it("says of a run whose process died that it was interrupted", async () => {
      await beginRun(journal);
      await expect(beginRun(journal)).rejects.toThrow("run 1 of shop was interrupted and is not finished");
    });

    it.each<RunState>(["failed", "undone", "cancelled", "succeeded"])(
      "lets a new run begin after one that is %s",
      async (state) => {
        await endRun(journal, await beginRun(journal), state);
        expect((await beginRun(journal)).number).toBe(2);
      },
    );

    it("keeps a step's intent, output, error and times", async () => {
      const { number, epoch } = await beginRun(journal);
      const running = { attempt: 1, intent: { instance: "shop_r1" }, beganAt: at } as const;
      await journal.record(number, epoch, at, { step: { id: restoreDb, state: "running", ...running } });
      const done = { output: { rows: 7, odd: 'ä"\n' }, endedAt: later, durationMs: 61_000.25 };
      const event = await journal.record(number, epoch, later, { step: { id: restoreDb, state: "done", ...done } });
      expect(event).toMatchObject({
        type: "step",
        sequence: 3,
        at: later,
        run: 1,
        step: restoreDb,
        state: "done",
        attempt: 1,
      });
      const { record } = await (await reopened()).readRun(number);
      expect(record.steps[0]).toEqual({ id: restoreDb, state: "done", error: null, ...running, ...done });
    });

    it("refuses a transition that the state machine does not have, and changes nothing", async () => {
      const run = await beginRun(journal);
      await expect(
        journal.record(run.number, run.epoch, at, { step: { id: restoreDb, state: "done" } }),
      ).rejects.toMatchObject({ code: "bug", message: "step restore:db of run 1 cannot go from pending to done" });
      await expect(
        journal.record(run.number, run.epoch, at, { step: { id: stepIdOf("restore:moon"), state: "running" } }),
      ).rejects.toMatchObject({ code: "bug", message: "run 1 has no step restore:moon" });
      expect(await journal.readRun(run.number)).toMatchObject({ record: run });
      expect(await journal.events(run.number)).toHaveLength(1);
    });

    it("takes transitions that come at once in their order, and a refused one takes no other with it", async () => {
      const run = await beginRun(journal);
      const record = (id: string, state: "running" | "done") =>
        journal.record(run.number, run.epoch, at, { step: { id: stepIdOf(id), state } });
      const outcomes = await Promise.allSettled([
        record("restore:db", "running"),
        record("restore:db", "done"),
        record("restore:moon", "running"),
        record("approve", "running"),
        record("approve", "done"),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual([
        "fulfilled",
        "fulfilled",
        "rejected",
        "fulfilled",
        "fulfilled",
      ]);
      const kept = await reopened();
      const told = (await kept.events(run.number)).flatMap((event) =>
        event.type === "step" ? [`${event.sequence} ${event.step} ${event.state}`] : [],
      );
      expect(told).toEqual(["2 restore:db running", "3 restore:db done", "4 approve running", "5 approve done"]);
    });

    it("refuses steps of a run that does not run", async () => {
      const run = await beginRun(journal);
      await endRun(journal, run, "failed");
      await expect(
        journal.record(run.number, run.epoch, at, { step: { id: restoreDb, state: "running", attempt: 1 } }),
      ).rejects.toMatchObject({ code: "bug" });
    });

    it("fences a process whose run was taken up by another one", async () => {
      const run = await beginRun(journal);
      await journal.record(run.number, 1, at, { step: { id: restoreDb, state: "running", attempt: 1 } });
      const taken = await journal.takeUp(run.number, later);
      expect(taken).toMatchObject({ epoch: 2, state: "running" });
      expect(taken.steps[0]).toMatchObject({ state: "interrupted", attempt: 1 });
      await expect(
        journal.record(run.number, 1, later, { step: { id: restoreDb, state: "done" } }),
      ).rejects.toMatchObject({
        code: "run.fenced",
        message: "run 1 was taken up by another process; this one must stop",
      });
      await journal.record(run.number, 2, later, { step: { id: restoreDb, state: "running", attempt: 2 } });
    });

    it("takes a run up whose undo was going on, and leaves it going back", async () => {
      const { number } = await beginRun(journal);
      await journal.record(number, 1, at, { step: { id: restoreDb, state: "running", attempt: 1 } });
      await journal.record(number, 1, at, { step: { id: restoreDb, state: "done", output: {} } });
      await journal.record(number, 1, at, { run: { state: "running", direction: "undo", message: "it broke" } });
      await journal.record(number, 1, at, { step: { id: restoreDb, state: "compensating" } });
      expect((await journal.readRun(number)).record.message).toBe("it broke");
      const taken = await journal.takeUp(number, later);
      expect(taken).toMatchObject({ direction: "undo", message: null });
      expect(taken.steps[0]?.state).toBe("interrupted");
      expect((await journal.takeUp(number, later, "cancel")).direction).toBe("cancel");
    });

    it.each<RunState>(["succeeded", "cancelled"])("takes no run up that is %s", async (state) => {
      const run = await beginRun(journal);
      await endRun(journal, run, state);
      await expect(journal.takeUp(run.number, later)).rejects.toMatchObject({ code: "run.wrong-state" });
    });

    it("takes a failed run up only while no later run has changed the world, except to cancel it", async () => {
      const first = await beginRun(journal);
      await endRun(journal, first, "failed");
      const second = await beginRun(journal);
      await expect(journal.takeUp(first.number, later)).rejects.toMatchObject({ code: "run.in-progress" });
      await endRun(journal, second, "succeeded");
      await expect(journal.takeUp(first.number, later)).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 1 cannot be taken up: run 2 of shop came after it (succeeded)",
      });
      expect(await journal.takeUp(first.number, later, "cancel")).toMatchObject({
        state: "running",
        direction: "cancel",
      });
    });

    it("knows no run that was never begun", async () => {
      const missing = 7 as RunNumber;
      for (const ask of [journal.readRun, journal.events, journal.exportRun])
        await expect(ask(missing)).rejects.toMatchObject({ code: "run.unknown" });
      await expect(journal.takeUp(missing, at)).rejects.toMatchObject({ code: "run.unknown" });
      await expect(journal.record(missing, 1, at, { run: { state: "failed" } })).rejects.toMatchObject({
        code: "run.unknown",
      });
    });

    it("numbers the events of each run without a gap and gives those after a number", async () => {
      const shop = await beginRun(journal, "shop");
      const market = await beginRun(journal, "market");
      const began = { id: restoreDb, state: "running", attempt: 1 } as const;
      await journal.record(shop.number, 1, at, { step: began });
      await journal.record(market.number, 1, at, { step: began });
      await journal.record(shop.number, 1, at, { run: { state: "running", message: "a note" } });
      const events = await journal.events(shop.number);
      expect(events.map((event) => "sequence" in event && event.sequence)).toEqual([1, 2, 3]);
      expect(events[2]).toEqual({ type: "run", sequence: 3, at, run: 1, state: "running", message: "a note" });
      expect(await journal.events(shop.number, 2)).toEqual(events.slice(2));
    });

    it("keeps a note as an event only", async () => {
      const run = await beginRun(journal);
      await journal.record(run.number, 1, at, { run: { state: "waiting", message: "you approve" } });
      await journal.record(run.number, 1, at, { run: { state: "waiting", message: "warning: no copy" } });
      expect((await journal.readRun(run.number)).record.message).toBe("you approve");
    });

    it("closes what was never begun when a run is cancelled", async () => {
      const run = await beginRun(journal);
      await journal.takeUp(run.number, at, "cancel");
      await journal.record(run.number, 2, later, { run: { state: "cancelled", endedAt: later } });
      const { record } = await journal.readRun(run.number);
      expect(record).toMatchObject({ state: "cancelled", endedAt: later });
      expect(record.steps.map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
    });

    it("gives the plan that was last shown under a digest, by its first characters too", async () => {
      const plan = planFor("shop");
      await journal.savePlan(plan);
      const again = { ...plan, forecast: { ...plan.forecast, heldMs: 4 } };
      await journal.savePlan(again);
      expect(await journal.readPlan(plan.digest.slice(0, 8))).toEqual(again);
      expect(await (await reopened()).readPlan(plan.digest)).toEqual(again);
      for (const unknown of ["0000000000", "", "%", plan.digest.toUpperCase().replaceAll(/\d/g, "A")])
        await expect(journal.readPlan(unknown)).rejects.toMatchObject({ code: "plan.unknown" });
    });

    it("refuses a prefix that more than one plan has", async () => {
      const plans = Array.from({ length: 17 }, (_, index) => planFor("shop", `reason ${index}`));
      for (const plan of plans) await journal.savePlan(plan);
      // Seventeen plans cannot all begin with another one of sixteen digits.
      const firsts = plans.map(({ digest }) => digest[0] ?? "");
      const shared = firsts.find((first, index) => firsts.indexOf(first) !== index) ?? "";
      await expect(journal.readPlan(shared)).rejects.toMatchObject({
        code: "plan.unknown",
        message: `more than one plan that was shown begins with ${shared}`,
      });
    });

    it("is used by two processes at once", async () => {
      const other = await open(folder);
      try {
        const run = await beginRun(journal);
        const writes = Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? journal : other).record(run.number, 1, at, {
            run: { state: "running", message: String(index) },
          }),
        );
        await Promise.all(writes);
        expect(await other.events(run.number)).toEqual(await journal.events(run.number));
        expect(await journal.events(run.number)).toHaveLength(21);
      } finally {
        await other.close();
      }
    });

    it("answers no call after it was closed", async () => {
      await journal.close();
      await journal.close();
      await expect(journal.listRuns()).rejects.toMatchObject({ code: "journal.failed" });
    });

    describeRunCopies(open);
  });
};
