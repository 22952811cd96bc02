import { expect, it } from "vitest";
import { shopPlan, shopRun, stoppedAt } from "../../../test/fixtures/shop-run.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { RunRecord, RunState } from "../../model/run.ts";
import { waitingWords } from "./waiting-words.ts";

const stopped = (state: RunState): RunRecord => shopRun({ state }, stoppedAt("check:db", { state: "interrupted" }));

const words = (runs: readonly RunRecord[], readPlan = async () => shopPlan) =>
  waitingWords(
    {
      readRun: async (number) => ({
        record: runs.find((run) => run.number === number) ?? shopRun(),
        plan: await readPlan(),
      }),
    },
    runs,
  );

it("are those of the newest run that waits, and none where none does", async () => {
  expect(await words([shopRun(), stopped("interrupted")])).toEqual(["refloat resume 42", "refloat cancel 42"]);
  expect(await words([shopRun(), stopped("failed")])).toEqual([]);
});

it("are none where another version has planned the run in its own form: the list is told all the same", async () => {
  const unknown = new RefloatError("plan.unknown", "the plan of run 42 has a form that this version does not know");
  expect(await words([stopped("waiting")], () => Promise.reject(unknown))).toEqual([]);
  const broken = new RefloatError("journal.failed", "the disk does not answer");
  await expect(words([stopped("waiting")], () => Promise.reject(broken))).rejects.toBe(broken);
});
