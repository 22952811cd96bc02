/** What every journal must do with runs that are begun together. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Journal } from "../core/ports/engine.ts";
import { type OpenJournal, at, beginRun, newUid, planFor } from "./journal-contract.ts";
import { jointRecoveryPlan } from "./run-plans.ts";

export const describeJointJournal = (name: string, open: OpenJournal): void => {
  describe(`journal contract, runs that are begun together: ${name}`, () => {
    let folder: string;
    let journal: Journal;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "refloat-joint-runs-"));
      journal = await open(folder);
    });

    afterEach(async () => {
      await journal.close();
      await rm(folder, { recursive: true });
    });

    const begin = () => {
      const plan = jointRecoveryPlan();
      const runs = plan.parts.map((part) => ({ uid: newUid(), plan: part }));
      const members = runs.map(({ uid, plan: { intent } }) => ({ service: intent.service, uid }));
      const joint = { uid: newUid(), digest: plan.digest, asked: "shop", members };
      return { joint, created: journal.createRuns({ runs, joint, at, incidentAt: at }) };
    };

    it("gives them consecutive numbers and what ties them, and has it still in a copy that another journal takes in", async () => {
      await beginRun(journal, "portal");
      const { joint, created } = begin();
      expect((await created).map(({ number, service, joint: tied }) => [number, service, tied])).toEqual([
        [2, "identity", joint],
        [3, "shop", joint],
      ]);
      expect((await journal.listRuns("identity")).map((run) => run.joint)).toEqual([joint]);
      expect((await journal.listRuns("portal"))[0]?.joint).toBeUndefined();
      const copy = await journal.exportRun((await created)[1]?.number ?? (await Promise.reject(new Error("no run"))));
      const elsewhere = await mkdtemp(join(tmpdir(), "refloat-joint-elsewhere-"));
      const other = await open(elsewhere);
      try {
        const number = await other.importRun(copy);
        expect((await other.readRun(number)).record).toEqual((await created)[1]);
      } finally {
        await other.close();
        await rm(elsewhere, { recursive: true });
      }
    });

    it("begins none of them where one may not be", async () => {
      await beginRun(journal, "shop");
      await expect(begin().created).rejects.toMatchObject({ code: "run.in-progress" });
      expect((await journal.listRuns()).map(({ service }) => service)).toEqual(["shop"]);
      expect((await beginRun(journal, "identity")).number).toBe(2);
    });

    it("remembers a plan of several services by its digest", async () => {
      const plan = jointRecoveryPlan();
      await journal.savePlan(plan);
      await journal.savePlan(planFor("shop"));
      expect(await journal.readPlan(plan.digest.slice(0, 10))).toEqual(plan);
      await expect(journal.readPlan(plan.parts[0]?.digest ?? "")).rejects.toMatchObject({ code: "plan.unknown" });
    });
  });
};
