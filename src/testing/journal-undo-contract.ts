/** What every journal must do with runs that take another one back: say so in both at once, and begin none whose world is gone. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Journal } from "../core/ports/engine.ts";
import type { RunRecord, RunState } from "../model/run.ts";
import { type OpenJournal, at, beginRun, endRun, newUid } from "./journal-contract.ts";
import { stepIdOf, testPlan, testStep } from "./run-plans.ts";

/** A run that has switched its database. */
const cutOver = async (journal: Journal, state: RunState): Promise<RunRecord> => {
  const plan = testPlan({ steps: [testStep("switch:db", "cutover", { kind: "switch", component: "db" })] });
  const run = await journal.createRun({ uid: newUid(), plan, at, incidentAt: null });
  const id = stepIdOf("switch:db");
  await journal.record(run.number, 1, at, { step: { id, state: "running", attempt: 1 } });
  const output = { incoming: `shop_r${run.number}`, outgoing: `shop_old${run.number}` };
  await journal.record(run.number, 1, at, { step: { id, state: "done", output } });
  await endRun(journal, run, state);
  return run;
};

const beginUndo = (journal: Journal, { number, uid }: RunRecord): Promise<RunRecord> =>
  journal.createRun({
    uid: newUid(),
    plan: testPlan({
      steps: [testStep("probe", "prove", { kind: "probe" })],
      undoes: { run: number, runUid: uid, acceptLoss: false, exchanges: {}, releases: {} },
    }),
    at,
    incidentAt: null,
  });

export const describeUndoRuns = (name: string, open: OpenJournal): void => {
  describe(`journal contract, undo: ${name}`, () => {
    let folder: string;
    let journal: Journal;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "refloat-undo-runs-"));
      journal = await open(folder);
    });

    afterEach(async () => {
      await journal.close();
      await rm(folder, { recursive: true });
    });

    it("marks a run as undone in the very transition in which its undo succeeds", async () => {
      const first = await cutOver(journal, "needs-operator");
      // The run that waits for a person stands in the way of every run but its undo.
      const undo = await beginUndo(journal, first);
      expect(undo.purpose).toBe("undo");
      await endRun(journal, undo, "succeeded");
      const { record } = await journal.readRun(first.number);
      expect(record).toMatchObject({ state: "undone", message: "undone by run 2" });
      expect((await journal.events(first.number)).at(-1)).toMatchObject({
        state: "undone",
        message: "undone by run 2",
      });
    });

    it("begins no undo a second time, since its plan is about a world that is gone", async () => {
      const first = await cutOver(journal, "succeeded");
      await endRun(journal, await beginUndo(journal, first), "failed");
      await endRun(journal, await beginUndo(journal, first), "succeeded");
      await expect(beginUndo(journal, first)).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 1 cannot be undone: it is undone already: undone by run 3",
        nextCommand: "refloat runs 1",
      });
      expect(await journal.listRuns()).toHaveLength(3);
      expect((await journal.readRun(first.number)).record.message).toBe("undone by run 3");
    });

    it("begins no undo of a run that was committed, did not cut over, or is not known here", async () => {
      const beside = await beginRun(journal);
      await endRun(journal, beside, "succeeded");
      await expect(beginUndo(journal, beside)).rejects.toThrow("it did not cut over, so live was never touched");
      const first = await cutOver(journal, "succeeded");
      await endRun(journal, first, "committed");
      await expect(beginUndo(journal, first)).rejects.toThrow("run 2 cannot be undone: it is committed");
      await expect(beginUndo(journal, { ...first, uid: newUid() })).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 2 cannot be undone: this journal does not know it",
      });
    });

    it("begins no undo below a later cutover", async () => {
      const first = await cutOver(journal, "succeeded");
      const second = await cutOver(journal, "succeeded");
      await expect(beginUndo(journal, first)).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 1 cannot be undone: run 2 has cut over since",
        nextCommand: "refloat undo 2",
      });
      await endRun(journal, await beginUndo(journal, second), "succeeded");
      expect(await beginUndo(journal, first)).toMatchObject({ number: 4, purpose: "undo" });
    });
  });
};
