/** What every engine must do when a person gives a run up: remove what it built, and nothing else. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { editStep } from "../core/run/edit-step.ts";
import type { RunNumber } from "../model/identifiers.ts";
import {
  EngineBench,
  type OpenEngine,
  failAt,
  hangAt,
  recovered,
  servedByNew,
  nothingLeft,
  outOfOrder,
} from "./engine-bench.ts";
import { recoverySteps, stepIdOf } from "./run-plans.ts";
import type { Intercept } from "./world-handlers.ts";

export const describeCancel = (open: OpenEngine): void => {
  describe("cancel", () => {
    let bench: EngineBench;

    beforeEach(async () => {
      bench = await EngineBench.create(open);
    });

    afterEach(async () => {
      await bench.remove();
    });

    it("removes what a failed run had built, dependents first, and closes what was never begun", async () => {
      await bench.execute({ intercept: failAt("apply", "try:app") });
      const record = await bench.cancel();
      expect(record).toMatchObject({
        state: "cancelled",
        direction: "cancel",
        message: "cancelled on request; what it had built is removed",
      });
      expect(bench.left).toEqual(nothingLeft);
      const begun = new Set<string>([
        "restore:db",
        "restore:files",
        "save-lost:db:early",
        "check:db",
        "check:files",
        "migrate:app",
        "try:app",
      ]);
      expect(Object.fromEntries(record.steps.map(({ id, state }) => [id, state]))).toEqual(
        Object.fromEntries(recoverySteps.map(({ id }) => [id, begun.has(id) ? "compensated" : "cancelled"])),
      );
      expect(outOfOrder(recoverySteps, bench.effectsOf("compensate"), "backward")).toEqual([]);
      await expect(bench.cancel()).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 1 cannot be cancelled: it was cancelled already, and what it built is removed",
      });
      expect((await bench.execute()).number).toBe(2);
    });

    it("removes what is half built", async () => {
      const stop = new AbortController();
      await bench.execute({ intercept: hangAt("half", "restore:db", () => stop.abort()) }, undefined, stop.signal);
      expect(bench.world.names("store")).toContain("db.r1.part");
      expect(await bench.cancel()).toMatchObject({ state: "cancelled" });
      expect(bench.left).toEqual(nothingLeft);
    });

    it("looks at what is done and takes it back in their own time, whatever an attempt may take", async () => {
      const failing = failAt("apply", "try:app");
      await bench.execute({ intercept: failing });
      const { journal } = await bench.process();
      for (const field of ["timeout", "heartbeat"]) {
        const { plan } = await journal.readRun(1 as RunNumber);
        const { to, from, plan: after } = editStep(plan, stepIdOf("restore:db"), field, "20ms");
        const edit = { field, from, to, before: plan.digest, after: after.digest };
        const word = { says: "edit" as const, step: stepIdOf("restore:db"), by: "anna", roles: [], reason: "?", edit };
        await journal.edit(1 as RunNumber, "2026-03-01T16:12:08.000Z", word, after);
      }
      const slow: Intercept = async (moment, context) => {
        if (context.step.id !== "restore:db") return failing(moment, context);
        // A drop of a large database says nothing until it is over.
        if (moment === "check" || moment === "compensate") await sleep(200, undefined, { signal: context.signal });
        return undefined;
      };
      expect(await bench.resume({ intercept: slow })).toMatchObject({
        state: "failed",
        message: expect.stringMatching(/^try:app/) as string,
      });
      expect(await bench.cancel({ intercept: slow })).toMatchObject({ state: "cancelled" });
      expect(bench.left).toEqual(nothingLeft);
    });

    it("puts the old side back when it is given up in the cutover", async () => {
      const stop = new AbortController();
      await bench.execute({ intercept: hangAt("apply", "start:app", () => stop.abort()) }, undefined, stop.signal);
      expect(bench.world.serving).toBe("none");
      expect(await bench.cancel()).toMatchObject({ state: "cancelled" });
      expect(bench.left).toEqual(nothingLeft);
    });

    it("removes what an undone run had left", async () => {
      await bench.execute({ intercept: failAt("apply", "switch:db") });
      expect((await bench.readRun()).state).toBe("undone");
      expect(await bench.cancel()).toMatchObject({ state: "cancelled" });
      expect(bench.left).toEqual(nothingLeft);
      expect(bench.effectsOf("compensate").filter((id) => id === "hold")).toHaveLength(1);
    });

    it("removes what a failed run had built after a later one has recovered the service", async () => {
      await bench.execute({ intercept: failAt("apply", "check:db") });
      expect(await bench.execute()).toMatchObject({ number: 2, state: "succeeded" });
      await expect(bench.resume({}, 1)).rejects.toMatchObject({ code: "run.wrong-state" });
      expect(await bench.cancel({}, 1)).toMatchObject({ number: 1, state: "cancelled" });
      expect(bench.live).toEqual(servedByNew);
      expect(bench.world.names("store").filter((name) => name.endsWith(".r1"))).toEqual([]);
    });

    it("goes on cancelling when it is resumed", async () => {
      await bench.execute({ intercept: failAt("apply", "try:app") });
      const stop = new AbortController();
      const hangs = hangAt("compensate", "restore:db", () => stop.abort());
      expect(await bench.cancel({ intercept: hangs }, 1, stop.signal)).toMatchObject({
        state: "interrupted",
        direction: "cancel",
      });
      expect(await bench.resume()).toMatchObject({ state: "cancelled" });
      expect(bench.left).toEqual(nothingLeft);
    });

    it("leaves to a person what it cannot remove, and is given again", async () => {
      await bench.execute({ intercept: failAt("apply", "try:app") });
      expect(await bench.cancel({ intercept: failAt("compensate", "restore:db") })).toMatchObject({
        state: "needs-operator",
        message: "restore:db could not be taken back: the target refuses; what it stands on was left as it is",
      });
      expect(await bench.cancel()).toMatchObject({ state: "cancelled" });
      expect(bench.left).toEqual(nothingLeft);
    });

    it("names to go on where a run was interrupted after traffic was admitted: an undo would be refused as well", async () => {
      const stop = new AbortController();
      await bench.execute({ intercept: hangAt("apply", "probe", () => stop.abort()) }, undefined, stop.signal);
      await expect(bench.cancel()).rejects.toMatchObject({
        code: "run.wrong-state",
        hint: "go on with it: once it has ended, an undo takes it back",
        nextCommand: "refloat resume 1",
      });
      expect((await bench.readRun()).state).toBe("interrupted");
      expect(bench.live).toEqual(servedByNew);
      expect(await bench.resume()).toMatchObject({ state: "succeeded" });
    });

    it("refuses a run that has succeeded, and changes nothing", async () => {
      expect(bench.seen(await bench.execute())).toEqual(recovered);
      await expect(bench.cancel()).rejects.toMatchObject({
        code: "run.wrong-state",
        message: "run 1 cannot be cancelled: traffic has been admitted to what it built",
        nextCommand: "refloat undo 1",
      });
      expect(bench.live).toEqual(servedByNew);
      expect((await bench.readRun()).state).toBe("succeeded");
    });
  });
};
