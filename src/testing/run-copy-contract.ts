/** What every journal must do with copies of runs: give them, take them, and believe none that was touched. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Journal } from "../core/ports/engine.ts";
import { editStep } from "../core/run/edit-step.ts";
import type { RunNumber } from "../model/identifiers.ts";
import { recoveryPlan, stepIdOf } from "./run-plans.ts";

const at = "2026-03-01T16:12:08.000Z";
const uid = "00000000-0000-4000-9000-000000000001";

export const describeRunCopies = (open: (folder: string) => Promise<Journal>): void => {
  describe("copies of runs", () => {
    let folder: string;
    let here: Journal;
    let there: Journal;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "refloat-copies-"));
      [here, there] = [await open(join(folder, "here")), await open(join(folder, "there"))];
    });

    afterEach(async () => {
      await here.close();
      await there.close();
      await rm(folder, { recursive: true });
    });

    const begin = (journal: Journal, itsUid = uid) =>
      journal.createRun({ uid: itsUid, plan: recoveryPlan(), at, incidentAt: null });
    const note = (journal: Journal, run: RunNumber, message: string) =>
      journal.record(run, 1, at, { run: { state: "running", message } });

    const runWithHistory = async (): Promise<RunNumber> => {
      const { number } = await begin(here);
      const id = stepIdOf("restore:db");
      await here.record(number, 1, at, { step: { id, state: "running", attempt: 1, intent: { instance: "r1" } } });
      await here.record(number, 1, at, { step: { id, state: "done", output: { rows: 5 } } });
      return number;
    };

    it("gives another journal the same run, plan and events, ready to be taken up", async () => {
      const number = await runWithHistory();
      const given = await there.importRun(await here.exportRun(number));
      expect(given).toBe(number);
      expect(await there.readRun(given)).toEqual(await here.readRun(number));
      expect(await there.events(given)).toEqual(await here.events(number));
      expect(await there.takeUp(given, at)).toMatchObject({ epoch: 2 });
      await there.record(given, 2, at, { step: { id: stepIdOf("restore:files"), state: "running", attempt: 1 } });
      expect(Buffer.from(await there.exportRun(given)).toString()).toContain('"kind":"seal"');
    });

    it("believes a copy whose plan was edited by what its events say, and none whose plan was changed past them", async () => {
      const number = await runWithHistory();
      const { plan } = await here.readRun(number);
      const edited = editStep(plan, stepIdOf("check:db"), "timeout", "6h");
      const edit = { field: "timeout", from: null, to: "6h", before: plan.digest, after: edited.plan.digest };
      const word = { says: "edit" as const, step: stepIdOf("check:db"), by: "anna", roles: [], reason: "slow", edit };
      await here.edit(number, at, word, edited.plan);
      await note(here, number, "goes on");
      expect((await here.readRun(number)).record.digest).toBe(edited.plan.digest);
      expect(await there.importRun(await here.exportRun(number))).toBe(number);
      expect(await there.readRun(number)).toEqual(await here.readRun(number));
      expect((await there.readRun(number)).plan).toEqual(edited.plan);

      // Whoever looked at the plan of before edits nothing any more.
      await expect(here.edit(number, at, word, edited.plan)).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 1 has been edited meanwhile",
      });
      const unsaid = editStep(edited.plan, stepIdOf("check:db"), "timeout", "9h");
      const forged = { ...word, edit: { ...edit, before: unsaid.plan.digest, after: edited.plan.digest } };
      await expect(here.edit(number, at, forged, edited.plan)).rejects.toMatchObject({ code: "run.wrong-state" });
    });

    it("tells what a copy says without taking it in", async () => {
      const number = await runWithHistory();
      const told = await there.readCopy(await here.exportRun(number));
      expect(told).toEqual({ ...(await here.readRun(number)), events: await here.events(number) });
      expect(await there.listRuns()).toEqual([]);
      await expect(there.readCopy(Buffer.from("no copy"))).rejects.toMatchObject({ code: "journal.failed" });
    });

    it("gives a run another number when its own is taken, and lets nobody take it up there", async () => {
      const number = await runWithHistory();
      await begin(there, "00000000-0000-4000-9000-000000000002");
      const given = await there.importRun(await here.exportRun(number));
      expect(given).toBe(2);
      expect((await there.readRun(given)).record).toEqual({ ...(await here.readRun(number)).record, number: 2 });
      await expect(there.takeUp(given, at)).rejects.toMatchObject({
        code: "run.wrong-state",
        message:
          "run 2 cannot be taken up: it is a copy of run 1 of another journal, and what it made bears that number",
      });
    });

    it("carries a known run further and never back", async () => {
      const number = await runWithHistory();
      const early = await here.exportRun(number);
      await there.importRun(early);
      await note(here, number, "further");
      const late = await here.exportRun(number);
      expect(await there.importRun(late)).toBe(number);
      expect(await there.importRun(early)).toBe(number);
      expect(await there.events(number)).toEqual(await here.events(number));
    });

    it("refuses a run that went on in two places", async () => {
      const number = await runWithHistory();
      await there.importRun(await here.exportRun(number));
      await note(here, number, "on this machine");
      await note(there, number, "on that machine");
      await expect(there.importRun(await here.exportRun(number))).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 1 went on in two places: journal and copy disagree",
      });
    });

    it("believes no copy in which one byte is another one, and takes nothing of it", async () => {
      const copy = await here.exportRun(await runWithHistory());
      const change = fc.record({ place: fc.nat(copy.length - 1), value: fc.integer({ min: 1, max: 255 }) });
      await fc.assert(
        fc.asyncProperty(change, async ({ place, value }) => {
          const changed = Uint8Array.from(copy);
          changed[place] = (changed[place] ?? 0) ^ value;
          await expect(there.importRun(changed)).rejects.toMatchObject({ code: "journal.failed" });
        }),
        { numRuns: 60 },
      );
      expect(await there.listRuns()).toEqual([]);
    });

    it("believes no copy that is shorter or longer", async () => {
      const copy = await here.exportRun(await runWithHistory());
      await fc.assert(
        fc.asyncProperty(fc.nat(copy.length - 1), async (length) => {
          await expect(there.importRun(copy.slice(0, length))).rejects.toMatchObject({ code: "journal.failed" });
        }),
        { numRuns: 40 },
      );
      const twice = new Uint8Array([...copy, ...copy]);
      await expect(there.importRun(twice)).rejects.toMatchObject({ code: "journal.failed" });
      expect(await there.listRuns()).toEqual([]);
    });
  });
};
