/** What every engine must do with runs of several services that are executed as one graph. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunEvent, RunRecord } from "../model/run.ts";
import {
  EngineBench,
  type OpenEngine,
  type ProcessOptions,
  failAt,
  hangAt,
  liveUntouched,
  recovered,
  servedByNew,
  stateOf,
} from "./engine-bench.ts";
import { ofAnotherService } from "./file-world.ts";
import { jointRecoveryPlan, neededSteps, recoverySteps, testPlan, testStep } from "./run-plans.ts";
import type { Intercept } from "./world-handlers.ts";

const allSteps = [...neededSteps, ...recoverySteps].map(({ id }) => id as string);

export const describeJointRuns = (open: OpenEngine): void => {
  describe("runs of several services", () => {
    let bench: EngineBench;

    beforeEach(async () => {
      bench = await EngineBench.create(open, ["db", "files", ofAnotherService]);
    });

    afterEach(async () => {
      await bench.remove();
    });

    /** Neither waits for the other. */
    const planApart = () => {
      const plan = jointRecoveryPlan();
      return {
        ...plan,
        parts: plan.parts.map((part) => ({
          ...part,
          intent: { ...part.intent, steps: part.intent.steps.map(({ after: _after, ...step }) => step) },
        })),
      };
    };

    const ended = (records: readonly RunRecord[]): readonly string[] =>
      records.map(({ number, service, state }) => `${number} ${service} ${state}`);

    const told = (step: string, state: string): number =>
      bench.told.findIndex((event: RunEvent) => event.type === "step" && event.step === step && event.state === state);

    const effects = () => bench.effectsOf("apply");
    const isRecoveredOnce = (): void => {
      expect(effects().toSorted()).toEqual(allSteps.toSorted());
      expect(bench.live).toEqual(servedByNew);
      expect(bench.world.linkOf("accounts")).toBe("../store/accounts.r1");
    };

    it("go side by side, but for what waits for another service", async () => {
      // It ends only once the shop has moved its data and looked at it.
      let seen: readonly string[] = [];
      const lastOfIdentity: Intercept = async (moment, { step }) => {
        if (moment === "apply" && step.id === "restore:accounts")
          while (!["check:db", "check:files", "migrate:app"].every((id) => effects().includes(id)))
            await new Promise((resolve) => setTimeout(resolve, 5));
        if (moment === "prepare" && step.id === "switch:accounts") seen = [...effects()];
        return undefined;
      };
      const records = await bench.executeJoint({ intercept: lastOfIdentity });
      expect(ended(records)).toEqual(["1 identity succeeded", "2 shop succeeded"]);
      expect(seen).not.toContain("try:app");
      expect(told("try:app", "running")).toBeGreaterThan(told("switch:accounts", "done"));
      isRecoveredOnce();
      const [identity, shop] = records;
      expect(identity?.joint).toEqual(shop?.joint);
      expect(shop?.joint).toEqual({
        uid: expect.any(String),
        digest: jointRecoveryPlan().digest,
        asked: "shop",
        members: [
          { service: "identity", uid: identity?.uid },
          { service: "shop", uid: shop?.uid },
        ],
      });
    });

    it("keep one limit, and what is critical goes first", async () => {
      let now = 0;
      let most = 0;
      const begun: string[] = [];
      const count: Intercept = async (moment, { step }) => {
        if (moment !== "apply") return undefined;
        begun.push(step.id);
        now += 1;
        most = Math.max(most, now);
        await new Promise((resolve) => setTimeout(resolve, 2));
        now -= 1;
        return undefined;
      };
      await bench.executeJoint(
        { intercept: count, limits: { concurrency: 1 } },
        jointRecoveryPlan({ shop: { criticality: "low" } }),
      );
      expect(most).toBe(1);
      expect(begun.slice(0, 3)).toEqual(["restore:accounts", "check:accounts", "switch:accounts"]);
      isRecoveredOnce();
    });

    it("of which one fails end what waits for it, after all that does not, and are resumed together", async () => {
      const records = await bench.executeJoint({ intercept: failAt("apply", "check:accounts") });
      expect(ended(records)).toEqual(["1 identity failed", "2 shop failed"]);
      const [, shop] = records;
      expect(shop?.message).toBe(
        "identity, which it needs, is not there: run 1 failed: check:accounts failed: the target refuses",
      );
      expect(effects()).toContain("migrate:app");
      expect(effects()).not.toContain("try:app");
      expect(bench.live).toEqual(liveUntouched);
      expect(ended(await bench.resumeJoint({}, 1))).toEqual(["1 identity succeeded", "2 shop succeeded"]);
      isRecoveredOnce();
    });

    it("are there when another one fails after them: its cutover is taken back, theirs stands", async () => {
      const records = await bench.executeJoint({ intercept: failAt("apply", "start:app") });
      expect(ended(records)).toEqual(["1 identity succeeded", "2 shop undone"]);
      expect(bench.world.linkOf("accounts")).toBe("../store/accounts.r1");
      expect(bench.world.linkOf("db")).toBe("../store/db.old");
      await expect(bench.resumeJoint({}, 2)).rejects.toMatchObject({ code: "run.wrong-state" });
    });

    it("go on where one has failed in its trial, though the run that is named has succeeded", async () => {
      const records = await bench.executeJoint({ intercept: failAt("apply", "try:app") });
      expect(ended(records)).toEqual(["1 identity succeeded", "2 shop failed"]);
      expect(ended(await bench.resumeJoint({}, 1))).toEqual(["2 shop succeeded"]);
      isRecoveredOnce();
    });

    it("wait together where one waits for a person", async () => {
      const asks: Intercept = async (moment, { step }) =>
        moment === "apply" && step.id === "check:accounts"
          ? { kind: "waiting", for: "person", message: "look at the accounts" }
          : undefined;
      const records = await bench.executeJoint({ intercept: asks });
      expect(ended(records)).toEqual(["1 identity waiting", "2 shop waiting"]);
      expect(records[1]?.message).toBe("it waits for identity, whose run 1 waits: look at the accounts");
      expect(ended(await bench.resumeJoint())).toEqual(["2 shop succeeded", "1 identity succeeded"]);
      isRecoveredOnce();
    });

    it("are stopped together, and go on together", async () => {
      const stop = new AbortController();
      const records = await bench.executeJoint(
        { intercept: hangAt("apply", "check:accounts", () => stop.abort()) },
        undefined,
        stop.signal,
      );
      expect(ended(records)).toEqual(["1 identity interrupted", "2 shop interrupted"]);
      expect(ended(await bench.resumeJoint())).toEqual(["2 shop succeeded", "1 identity succeeded"]);
      expect(bench.live).toEqual(servedByNew);
    });

    it("leave a service alone that works again before its cutover, and remove what they made of it", async () => {
      const asked: string[] = [];
      const isWell = async ({ name }: { readonly name: string }): Promise<string | null> => {
        asked.push(name);
        return "all right";
      };
      const records = await bench.executeJoint({ hooks: { isWell } });
      expect(ended(records)).toEqual(["1 identity cancelled", "2 shop succeeded"]);
      // Who asked for the shop wants it put back, whether it answers or not.
      expect(asked).toEqual(["identity"]);
      expect(bench.world.linkOf("accounts")).toBe("../store/accounts.old");
      expect(bench.world.names("store")).not.toContain("accounts.r1");
      expect(bench.world.linkOf("db")).toBe("../store/db.r2");
    });

    it("ask a service that was given up, when one that waits for it is resumed", async () => {
      await bench.executeJoint({ intercept: failAt("apply", "check:accounts") });
      expect((await bench.cancel()).state).toBe("cancelled");
      const [again] = await bench.resumeJoint();
      expect(again).toMatchObject({ state: "failed", message: expect.stringContaining("run 1 was cancelled") });
      expect(ended(await bench.resumeJoint({ hooks: { isWell: async () => "all right" } }))).toEqual([
        "2 shop succeeded",
      ]);
    });

    it("go on where the process was killed that removed what was made of a service that works again", async () => {
      const isWell = async (): Promise<string> => "all right";
      const stop = new AbortController();
      const left = await bench.executeJoint(
        { hooks: { isWell }, intercept: hangAt("compensate", "restore:accounts", () => stop.abort()) },
        undefined,
        stop.signal,
      );
      expect(left[0]).toMatchObject({ service: "identity", state: "interrupted", direction: "cancel" });
      expect(ended(await bench.resumeJoint({ hooks: { isWell } }, 1))).toEqual([
        "1 identity cancelled",
        "2 shop succeeded",
      ]);
      expect(bench.live).toEqual(servedByNew);
    });

    it("of which one is taken up in its cutover take it back where what it needs is gone meanwhile", async () => {
      const stop = new AbortController();
      const stopsWhenHeld: Intercept = async (moment, { step, signal }) => {
        if (moment !== "apply" || step.id !== "hold") return undefined;
        bench.world.write("traffic", "held");
        stop.abort();
        throw signal.reason;
      };
      const records = await bench.executeJoint(
        { hooks: { isWell: async () => "all right" }, intercept: stopsWhenHeld },
        undefined,
        stop.signal,
      );
      expect(ended(records)).toEqual(["1 identity cancelled", "2 shop interrupted"]);
      expect(bench.live).not.toEqual(liveUntouched);
      const [shop] = await bench.resumeJoint();
      expect(shop).toMatchObject({
        state: "undone",
        message:
          "identity, which it needs, is not there: run 1 was cancelled: identity works again and is left alone (all right); what was restored is removed",
      });
      expect(bench.live).toEqual(liveUntouched);
    });

    it("store no copy of one that may have begun its cutover: it would look like another machine's", async () => {
      const copied: number[] = [];
      const beforeCutover = async ({ number }: RunRecord): Promise<void> => {
        copied.push(number);
        // Until the other one waits for its turn.
        while (told("approve", "done") < 0 || told("check:accounts", "done") < 0)
          await new Promise((resolve) => setTimeout(resolve, 5));
        await new Promise((resolve) => setTimeout(resolve, 20));
      };
      const records = await bench.executeJoint({ hooks: { beforeCutover } }, planApart());
      expect(ended(records)).toEqual(["1 identity succeeded", "2 shop succeeded"]);
      const [first] = copied;
      expect(copied).toEqual(first === 1 ? [1, 2, 2] : [2, 1, 1]);
    });

    it("are not kept waiting by a copy that another one stores of itself", async () => {
      let first: number | null = null;
      let wasSlow = false;
      const beforeCutover = async ({ number }: RunRecord): Promise<void> => {
        if (first !== null) return;
        first = number;
        const switchOfOther = number === 1 ? "switch:db" : "switch:accounts";
        while (told(switchOfOther, "done") < 0) await new Promise((resolve) => setTimeout(resolve, 5));
        wasSlow = true;
      };
      const records = await bench.executeJoint({ hooks: { beforeCutover } }, planApart());
      expect(ended(records)).toEqual(["1 identity succeeded", "2 shop succeeded"]);
      expect(wasSlow).toBe(true);
      expect(bench.messages.filter((message) => message.includes("copying"))).toEqual([]);
    });

    it("tell of one that is not known here, as it was lost before a copy of it was stored", async () => {
      const [identity] = await bench.executeJoint({ intercept: failAt("apply", "check:db") });
      const withoutIdentity: ProcessOptions["wrapJournal"] = (journal) => ({
        ...journal,
        listRuns: async (service) => (await journal.listRuns(service)).filter((run) => run.service !== "identity"),
      });
      expect(ended(await bench.resumeJoint({ wrapJournal: withoutIdentity }))).toEqual(["2 shop succeeded"]);
      expect(bench.messages.filter((message) => message.includes("is not known here"))).toEqual([
        expect.stringMatching(
          new RegExp(
            `identity, which was begun together with it, is not gone on with: its run ${identity?.uid.slice(0, 8)} .* refloat plan identity$`,
          ),
        ),
      ]);
    });

    it("need all the leases: where one is held none is kept, nothing is begun, and who holds it is named", async () => {
      const { engine } = await bench.process({ intercept: hangAt("apply", "restore:accounts") });
      const alone = new AbortController();
      const busy = engine.execute(testPlan({ service: "identity", steps: neededSteps }), {
        incidentAt: null,
        listener: (event) => void bench.told.push(event),
        signal: alone.signal,
      });
      while (told("restore:accounts", "running") < 0) await new Promise((resolve) => setTimeout(resolve, 5));
      await expect(bench.executeJoint()).rejects.toMatchObject({
        code: "run.in-progress",
        message: expect.stringContaining("run 1 of identity is going on"),
      });
      const { journal } = await bench.process();
      expect((await journal.listRuns()).map(({ number }) => number)).toEqual([1]);
      alone.abort();
      expect((await busy).state).toBe("interrupted");
      // The lease of the shop was given back.
      expect(bench.seen(await bench.execute())).toMatchObject(recovered);
    });

    it("are begun all or none", async () => {
      const { engine } = await bench.process({ intercept: hangAt("apply", "restore:db") });
      const stop = new AbortController();
      const listener = (event: RunEvent): void => {
        if (event.type === "step" && event.step === "restore:db" && event.state === "running") stop.abort();
      };
      await engine.execute(testPlan({ steps: recoverySteps }), { incidentAt: null, listener, signal: stop.signal });
      await expect(bench.executeJoint()).rejects.toMatchObject({ code: "run.in-progress" });
      const { journal } = await bench.process();
      expect((await journal.listRuns()).map(({ number, service }) => `${number} ${service}`)).toEqual(["1 shop"]);
    });

    it("stop at once where the journal of one of them fails", async () => {
      let left = 12;
      await expect(
        bench.executeJoint({
          wrapJournal: (journal) => ({
            ...journal,
            record: async (...call) => {
              left -= 1;
              if (left < 0) throw new Error("the disk is full");
              return journal.record(...call);
            },
          }),
        }),
      ).rejects.toThrow("the disk is full");
      const records = await bench.resumeJoint();
      expect(records.map(({ state }) => state)).toEqual(["succeeded", "succeeded"]);
      expect(stateOf(records[0] as RunRecord, "probe")).toBe("done");
      expect(await bench.readRun(1)).toMatchObject({ state: "succeeded", epoch: 2 });
    });

    it("of one part behave as a run alone", async () => {
      const plan = jointRecoveryPlan();
      const only = testPlan({ steps: [testStep("restore:db", "restore", { kind: "restore", component: "db" })] });
      const records = await bench.executeJoint({}, { ...plan, parts: [only] });
      expect(ended(records)).toEqual(["1 shop succeeded"]);
    });
  });
};
