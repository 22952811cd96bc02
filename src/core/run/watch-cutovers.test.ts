import { afterEach, beforeEach, expect, it } from "vitest";
import type { Journal } from "../ports/engine.ts";
import type { RunRecord, RunState } from "../../model/run.ts";
import { openInThreadJournal } from "../../testing/in-thread-journal.ts";
import { stepIdOf, testPlan, testStep } from "../../testing/run-plans.ts";
import { watchCutovers } from "./watch-cutovers.ts";

const at = "2026-03-01T16:12:08.000Z";
const uid = "00000000-0000-4000-8000-000000000001";
const plan = testPlan({
  steps: [
    testStep("restore:db", "restore", { kind: "restore", component: "db" }),
    testStep("switch:db", "cutover", { kind: "switch", component: "db" }, ["restore:db"]),
    testStep("switch:docs", "cutover", { kind: "switch", component: "docs" }, ["restore:db"]),
    testStep("probe", "prove", { kind: "probe" }, ["switch:db", "switch:docs"]),
  ],
});

let journal: Journal;
let holder: string | null;
let run: RunRecord;

beforeEach(async () => {
  journal = openInThreadJournal(":memory:");
  holder = null;
  run = await journal.createRun({ uid, plan, at, incidentAt: null });
});

afterEach(async () => {
  await journal.close();
});

const watch = (takenBy: string | null = null, service = "shop") =>
  watchCutovers(
    {
      journal: async () => journal,
      leases: async () => ({
        holder: async () => holder,
        acquire: async () => ({ release: async () => undefined }),
      }),
    },
    { service, takenBy },
  );

const begin = (id: string) =>
  journal.record(run.number, 1, at, { step: { id: stepIdOf(id), state: "running", attempt: 1 } });
const finish = (id: string) => journal.record(run.number, 1, at, { step: { id: stepIdOf(id), state: "done" } });
const end = (state: RunState) => journal.record(run.number, 1, at, { run: { state, endedAt: at } });

it("lets a capture go on beside a run that restores, or has cut over and proves itself", async () => {
  await begin("restore:db");
  await expect((await watch()).askAgain()).resolves.toBeUndefined();
  await finish("restore:db");
  for (const id of ["switch:db", "switch:docs"]) {
    await begin(id);
    await finish(id);
  }
  await begin("probe");
  await expect((await watch()).askAgain()).resolves.toBeUndefined();
  await end("needs-operator");
  await expect((await watch()).askAgain()).resolves.toBeUndefined();
});

it("refuses one in the cutover, and says how the run is brought to an end", async () => {
  const before = await watch();
  await begin("switch:db");
  await finish("switch:db");
  const message = "run 1 of shop is in its cutover: a point would be of two sides";
  for (const asked of [watch(), before.askAgain()]) {
    await expect(asked).rejects.toMatchObject({
      code: "run.in-progress",
      message,
      hint: "go on with it, or put the side back that served before: refloat cancel 1",
      nextCommand: "refloat resume 1",
    });
  }
  holder = "process 7";
  await expect(watch()).rejects.toMatchObject({ message, nextCommand: "refloat runs 1" });
  await expect((await watch(null, "market")).askAgain()).resolves.toBeUndefined();
});

it("refuses one below which a cutover has come and gone", async () => {
  const before = await watch();
  for (const id of ["switch:db", "switch:docs"]) {
    await begin(id);
    await finish(id);
  }
  await end("succeeded");
  await expect(before.askAgain()).rejects.toMatchObject({
    code: "run.in-progress",
    message: "run 1 of shop switched sides while this point was being taken",
    nextCommand: "refloat capture shop",
  });
  await expect((await watch()).askAgain()).resolves.toBeUndefined();
});

it("leaves the run alone that takes the point itself", async () => {
  await begin("switch:db");
  const own = await watch(uid);
  await finish("switch:db");
  await expect(own.askAgain()).resolves.toBeUndefined();
});
